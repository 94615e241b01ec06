"""Speed beside one another, and as the work grows."""

from vitreous.report.speed import growth, speed_beside
from vitreous.report.svg import standalone_svg


def test_one_dot_a_peer_on_a_line_of_its_own() -> None:
    rows = [
        ("first", {"ours": 10.0, "theirs": 5.0, "others'": 5.0}),
        ("without us", {"theirs": 5.0}),
        ("with us alone", {"ours": 4.0}),
        ("second", {"ours": 4.0, "others'": 2.0}),
    ]
    names = ["ours", "theirs", "others'", "nobody's"]
    figure = speed_beside(rows, names)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["first", "second"]
    dots = {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}
    assert {name: dot.get_xdata().tolist() for name, dot in dots.items() if name != "ours"} == {
        "theirs": [0.5], "others'": [0.5, 0.5],
    }  # fmt: skip
    assert list(dots["ours"].get_xdata()) == [1, 1]
    lines = [*dots["theirs"].get_ydata(), *dots["others'"].get_ydata()]
    assert lines == sorted(set(lines)), "top down in the order of the names, none over another"
    first, second = axes.get_yticks()
    assert lines[0] < first < lines[1] < second == lines[2]
    svg = standalone_svg(figure)
    assert svg == standalone_svg(speed_beside(rows, names))
    assert "<svg" in svg


def test_growth_beside_the_arithmetic() -> None:
    panel = {
        "title": "ViT-B/16",
        "axis": "image size",
        "at": [1.0, 4.0, 16.0],
        "labels": ["128", "256", "512"],
        "operations": [1.0, 4.0, 16.0],
        "seconds": {"ours": [0.5, 1.0, 4.0], "theirs": [1.0, None, 8.0]},
    }
    (axes,) = growth([panel], ["ours", "theirs", "nobody"]).axes
    lines = {line.get_label(): line.get_ydata().tolist() for line in axes.lines}
    assert lines["theirs"] == [1.0, 8.0]
    assert lines["in proportion to the operations"] == [0.25, 1.0, 4.0]
    assert "nobody" not in lines
    assert [text.get_text() for text in axes.get_xticklabels()] == ["128", "256", "512"]


def test_whoever_has_one_point_has_no_curve_and_each_colour_is_named_once() -> None:
    panel = {"title": "", "axis": "batch", "at": [1.0, 8.0], "labels": ["1", "8"]}
    panels = [
        panel | {"operations": [1.0, 8.0], "seconds": {"ours": [1.0, 2.0], "once": [None, 3.0]}},
        panel | {"operations": [1.0, 8.0], "seconds": {"ours": [1.0, 2.0], "later": [2.0, 3.0]}},
    ]
    figure = growth(panels, ["ours", "once", "later"])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "ours", "in proportion to the operations", "later",
    ]  # fmt: skip
    assert len(figure.axes[0].lines) == 2
