import numpy as np

from vitreous.report.reproduction import curves, dots, loss_curves, similarities


def test_each_curve_has_its_points_and_bars() -> None:
    series = {"ViT": [(1000, 0.5, 0.01), (100, 0.3, 0.02)], "ResNet": [(100, 0.4, 0.0)]}
    figure = curves("Figure", series, x="images", y="accuracy", logarithmic=True)
    (axes,) = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ViT", "ResNet"]
    lines = [container.lines[0] for container in axes.containers]
    assert list(lines[0].get_xdata()) == [100, 1000]
    assert list(lines[0].get_ydata()) == [0.3, 0.5]
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "1,000"]


def test_places_of_many_curves_are_told_by_powers_that_do_not_meet() -> None:
    points = [(x, 0.5, 0.0) for x in np.geomspace(1.2e12, 1.5e13, 9).tolist()]
    figure = curves("Figure", {"ViT": points}, x="operations", y="accuracy", logarithmic=True)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    shown = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert [label.get_text() for label in shown] == ["2 × 10¹²", "5 × 10¹²", "10¹³"]
    boxes = [label.get_window_extent() for label in shown]
    assert all(one.x1 < two.x0 for one, two in zip(boxes, boxes[1:], strict=False))
    assert not axes.get_xticklabels(minor=True)


def test_each_seed_is_a_dot() -> None:
    figure = dots("Table", {"none": (0.5, 0.6), "1-D": (0.7, 0.8)}, x="accuracy")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["none", "1-D"]
    means = [line.get_xdata()[0] for line in axes.lines[::2]]
    assert means == [0.55, 0.75]
    assert [len(line.get_xdata()) for line in axes.lines[1::2]] == [2, 2]


def test_a_bar_is_a_line_that_says_what_it_is() -> None:
    figure = dots("seeds", {"ViT": (0.91, 0.92)}, x="accuracy", bar=(0.925, "the bar, 92.5%"))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [0.925]
    assert [text.get_text() for text in axes.texts] == ["the bar, 92.5%"]


def test_one_grid_of_maps_a_model() -> None:
    similarity = np.eye(9).reshape(3, 3, 3, 3)
    figure = similarities("Figure", {"short": similarity, "long": -similarity})
    figure.canvas.draw()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == ["short", "long"]
    assert sum(bool(axes.images) for axes in figure.axes) == 2


def test_labels_of_close_values_do_not_meet() -> None:
    figure = dots("three seeds", {"ViT": (0.9206, 0.9214)}, x="test accuracy")
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    lefts = sorted((box.x0, box.x1) for box in boxes)
    assert len(lefts) > 2
    assert all(end < start for (_, end), (start, _) in zip(lefts, lefts[1:], strict=False))


def test_losses_have_a_panel_a_part_and_a_band_a_run() -> None:
    runs = {"ViT": [(1.0, 1.5, 0.1), (2.0, 1.0, 0.2)], "ResNet": [(1.0, 1.6, 0.0), (2.0, 1.4, 0.0)]}
    figure = loss_curves("Figure", {"training": runs, "validation": runs})
    figure.draw_without_rendering()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["training", "validation"]
    for axes in figure.axes:
        assert [list(line.get_ydata()) for line in axes.lines] == [[1.5, 1.0], [1.6, 1.4]]
        assert len(axes.collections) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ViT", "ResNet"]
