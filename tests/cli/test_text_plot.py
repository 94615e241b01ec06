from hypothesis import given
from hypothesis import strategies as st

from vitreous.cli.text_plot import text_plot


def test_a_ramp_by_hand():
    assert text_plot([0.0, 0.5, 1.0], height=2) == ["  █", " ██"]
    assert text_plot([0.0, 1.0, 2.0], height=1) == [" ▄█"]
    assert text_plot([0.0, 0.0], height=1) == ["  "]


@given(st.lists(st.floats(0, 1e6), max_size=20), st.integers(1, 5))
def test_lines_are_as_many_and_as_long_as_asked(values, height):
    lines = text_plot(values, height)
    assert [len(line) for line in lines] == [len(values)] * height
