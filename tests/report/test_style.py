"""The colours and the names that every figure shares."""

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.report.style import CSS_VARIABLES, RUN_COLOURS, STYLE, shorten, titled_figure


def test_figures_and_page_have_the_same_colours() -> None:
    css = (files("vitreous.report") / "page.css").read_text("utf-8")
    light = dict(re.findall(r"(--[a-z]+): (#[0-9a-f]{6});", css.split("@media", 1)[0]))
    for colour, variable in CSS_VARIABLES.items():
        assert light[variable] == colour


def test_run_colours_differ_from_each_other_and_stay_in_the_dark() -> None:
    assert len(set(RUN_COLOURS)) == len(RUN_COLOURS)
    assert not set(RUN_COLOURS) & set(CSS_VARIABLES)


def test_titles_stand_flush_left() -> None:
    figure = titled_figure("Loss", 4.0, 3.0)
    assert figure.get_suptitle() == "Loss"
    assert figure.get_size_inches().tolist() == [4, 3]


@pytest.mark.parametrize(
    ("name", "length", "expected"),
    [("daisy", 5, "daisy"), ("dandelion", 5, "da…on"), ("dandelion", 4, "da…n")],
)
def test_shorten(name: str, length: int, expected: str) -> None:
    assert shorten(name, length) == expected


@given(st.text(), st.integers(3, 20))
def test_shortened_names_fit(name: str, length: int) -> None:
    short = shorten(name, length)
    assert len(short) == min(len(name), length)
    assert short[0:1] == name[0:1]
    assert short[-1:] == name[-1:]


def test_names_are_no_formulas() -> None:
    assert STYLE["text.parse_math"] is False
