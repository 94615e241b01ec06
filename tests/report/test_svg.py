"""Figures as they stand in a page."""

import re
from collections import Counter
from xml.etree import ElementTree

import numpy as np

from vitreous.report.figures import confusion_matrix, reliability
from vitreous.report.svg import figure_svg

NAMES = ["$a$ & <b>", "向日葵", "🌻", "c" * 40]


def draw(name: str = "confusion matrix") -> str:
    return figure_svg(confusion_matrix(np.arange(16).reshape(4, 4), NAMES), name)


def calibrated() -> str:
    bins = {"edges": [0, 0.5, 1], "confidence": [0.3, 0.8], "accuracy": [0.2, 0.9], "count": [3, 4]}
    return figure_svg(reliability(bins), "calibration")


def test_the_same_figure_is_the_same_text() -> None:
    assert draw() == draw()


def test_holds_no_date_and_no_prologue() -> None:
    svg = draw()
    assert svg.startswith("<svg ")
    assert "<metadata>" not in svg
    assert "matplotlib.org" not in svg


def test_text_stays_text_in_every_script() -> None:
    drawing = ElementTree.fromstring(draw())
    texts = {element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert {"$a$ & <b>", "向日葵", "🌻", "15", "predicted", "true"} <= texts


def test_ids_are_unique_on_a_page() -> None:
    page = draw("one") + draw("two") + calibrated()
    counts = Counter(re.findall(r'\bid="([^"]*)"', page))
    assert counts
    assert max(counts.values()) == 1
    used = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', page)
    assert used
    assert {a or b for a, b in used} <= counts.keys()


def test_colours_follow_the_page() -> None:
    svg = draw()
    assert "var(--right, #0b66ad)" in svg
    assert not re.search(r"(?<!, )#0b66ad", svg)


def test_is_labelled_and_as_wide_as_its_place() -> None:
    root = draw("a & b").split(">", 1)[0]
    assert 'aria-label="a &amp; b"' in root
    assert 'role="img"' in root
    assert re.search(r'style="--width: [\d.]+"', root)
    assert " width=" not in root
