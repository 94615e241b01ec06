"""Figures of a model's inside."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from vitreous.analysis.trust import Curve, Trust
from vitreous.report import inside
from vitreous.report.svg import figure_svg


def picture(figure: Figure) -> np.ndarray:
    return np.asarray(figure.axes[0].images[0].get_array())


@pytest.mark.parametrize(("count", "channels", "side"), [(28, 3, 32), (3, 1, 2), (9, 5, 7)])
def test_filters_in_rows_of_seven(count: int, channels: int, side: int) -> None:
    components = np.random.default_rng(0).normal(size=(count, channels, side, side))
    shown = picture(inside.filters(components))
    rows, columns = -(-count // 7), min(count, 7)
    tile = side * max(1, 16 // side) + 2
    assert shown.shape == (rows * tile, columns * tile, 4)
    assert (shown >= 0).all()
    assert (shown <= 1).all()
    assert not shown[0, 0, 3], "between the tiles is the page"
    assert shown[1, 1, 3] == 1


def test_a_filter_of_zeros_is_grey() -> None:
    shown = picture(inside.filters(np.zeros((1, 3, 16, 16))))
    np.testing.assert_array_equal(shown[1:-1, 1:-1, :3], 0.5)


def test_position_similarity_in_the_patches_order() -> None:
    """Each tile holds its own row and column."""
    h, w = 2, 3
    similarity = np.zeros((h, w, h, w))
    for row, column in np.ndindex(h, w):
        similarity[row, column] = row / 10 + column / 100
    figure = inside.position_similarity(similarity)
    shown, (high, wide) = picture(figure), (5 * h + 2, 5 * w + 2)
    assert shown.shape == (h * high, w * wide)
    assert shown[high + 3, 2 * wide + 3] == pytest.approx(0.12)
    assert figure.axes[0].images[0].get_clim() == (-1, 1)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["1", "2", "3"]


def test_large_grids_show_fourteen_a_side_from_edge_to_edge() -> None:
    figure = inside.position_similarity(np.zeros((24, 32, 24, 32)))
    labels = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert len(labels) == 14
    assert (labels[0], labels[-1]) == ("1", "32")


def test_a_dot_a_head() -> None:
    mean = np.array([[10.0, 30], [20, 40], [5, 6]])
    figure = inside.by_head("Distance", "pixels", mean, mean / 10, (25.0, "all alike"))
    axes = figure.axes[0]
    dots = axes.lines[0].get_xydata()
    np.testing.assert_array_equal(dots[:, 1], mean.ravel())
    np.testing.assert_array_equal(dots[:, 0].round(), [1, 1, 2, 2, 3, 3])
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 44
    assert "all alike" in figure_svg(figure, "distance")


@pytest.mark.parametrize("layers", [1, 3, 24])
def test_one_number_a_layer(layers: int) -> None:
    figure = inside.by_layer("Rank", "rank", np.zeros(layers), percent=True)
    assert len(figure.axes[0].lines[0].get_xydata()) == layers
    figure_svg(figure, "rank")


def test_head_maps_have_a_column_a_layer() -> None:
    maps = np.zeros((2, 3, 4, 4))
    maps[1, 2, 0, 0] = 0.25
    shown = picture(inside.head_maps(maps))
    tile = 4 * 4 + 2
    assert shown.shape == (3 * tile, 2 * tile)
    assert np.nanmax(shown) == 1, "each map is scaled by its own largest value"
    assert shown[2 * tile + 1, tile + 1] == 1


def test_trust_curves_and_randomisation() -> None:
    curve = Curve(np.array([0, 0.5, 1]), np.array([0.9, 0.4, 0.1]))
    trust = Trust(curve, curve)
    figure = inside.trust_curves({"rollout": trust, "relevance": trust}, trust)
    assert [len(axes.lines) for axes in figure.axes] == [3, 3]
    likeness = {"head": {"rollout": 1.0}, "block 1": {"rollout": -0.9}}
    figure = inside.randomisation(likeness)
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [1, 1, -0.9])
    assert figure.axes[0].get_ylim()[0] < -0.9


def test_gallery() -> None:
    grey = np.zeros((10, 20, 1), np.uint8)
    figure = inside.gallery([("a", grey), ("b", grey), ("c", grey)], 2, "Pictures")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b", "c"]
