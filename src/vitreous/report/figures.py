"""What a classifier does: confusion, calibration, and the classes of several runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vitreous.report.curves import run_styles
from vitreous.report.style import (
    GRID,
    INK,
    MUTED,
    PANEL,
    PAPER,
    RIGHT,
    STYLE,
    WRONG,
    shorten,
    titled_figure,
)

_MOST_NUMBERED = 20  # classes whose counts are still readable inside their cells
_MOST_NAMED = 60  # classes whose names are still readable beside their rows
_MOST_PIXELS = 200  # cells a side that a screen still shows apart


def row_shares(counts: Int64[np.ndarray, "K K"]) -> Float[np.ndarray, "K K"]:
    """Divide each row by its sum, a row without images staying 0."""
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


@rc_context(STYLE)
def confusion_matrix(counts: Int64[np.ndarray, "K K"], class_names: Sequence[str]) -> Figure:
    """Draw the confusion matrix: a row is a true class, a column what it was taken for.

    Hits and mistakes have each their own colour. A cell's strength is the square root of its
    share of the row, so that a confusion of 1 % can still be seen beside hits of 99 %. Counts are
    written in up to 20 classes and names beside up to 60. Of more, the rows are numbered; of more
    than 200, a cell stands for several neighbouring classes and shows their mean hit, or their
    worst confusion.

    Args:
        counts: Images by truth (row) and prediction (column).
        class_names: One name a row.

    Returns:
        A figure as large as its cells and names need.
    """
    counts = np.asarray(counts)
    num_classes = len(counts)
    strength = np.sqrt(row_shares(counts))
    names = [shorten(name, 18) for name in class_names] if num_classes <= _MOST_NAMED else []
    longest = max((len(name) for name in names), default=5)
    tilted = bool(names) and longest > 4
    # Inches for the cells, and beside them for names of about 0.075 inches a letter.
    side = float(np.clip(1.4 + 0.42 * num_classes, 1.9, 6.2))
    beside = 0.075 * longest
    figure = Figure(figsize=(side + 0.45 + beside, side + 0.45 + (0.7 * beside if tilted else 0.2)))
    axes = figure.add_subplot(xlabel="predicted", ylabel="true")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_aspect("equal")
    if names:
        _draw_cells(axes, counts, strength)
        _name_cells(axes, names, tilted)
    else:
        _draw_pixels(axes, strength)
    axes.set_xlim(-0.5, num_classes - 0.5)
    axes.set_ylim(num_classes - 0.5, -0.5)
    return figure


def _draw_cells(axes: Axes, counts: np.ndarray, strength: np.ndarray) -> None:
    numbered = len(counts) <= _MOST_NUMBERED
    gap = 0.04 if numbered else 0.0
    size = float(np.clip(12 - 0.25 * len(counts), 7, 10))
    for row, column in np.ndindex(counts.shape):
        corner = (column - 0.5 + gap, row - 0.5 + gap)
        side = 1 - 2 * gap
        if numbered:
            axes.add_patch(Rectangle(corner, side, side, color=GRID, alpha=0.4, linewidth=0))
        if counts[row, column] == 0:
            continue
        alpha = float(strength[row, column])
        colour = RIGHT if row == column else WRONG
        axes.add_patch(Rectangle(corner, side, side, color=colour, alpha=alpha, linewidth=0))
        if numbered:
            axes.text(
                column,
                row,
                f"{counts[row, column]:,}",
                ha="center",
                va="center_baseline",
                fontsize=size,
                color=PAPER if alpha > 0.6 else INK,
            )


def _name_cells(axes: Axes, names: Sequence[str], tilted: bool) -> None:
    ticks = range(len(names))
    size = float(np.clip(11 - 0.12 * len(names), 6, 10))
    tilt: dict[str, Any] = {"rotation": 40, "ha": "right"} if tilted else {}
    axes.set_xticks(ticks, names, fontsize=size, color=INK, rotation_mode="anchor", **tilt)
    axes.set_yticks(ticks, names, fontsize=size, color=INK)


def _draw_pixels(axes: Axes, strength: np.ndarray) -> None:
    num_classes = len(strength)
    step = -(-num_classes // _MOST_PIXELS)
    starts = np.arange(0, num_classes, step)
    pooled = np.maximum.reduceat(np.maximum.reduceat(strength, starts, axis=0), starts, axis=1)
    hits = np.add.reduceat(strength.diagonal(), starts) / np.diff([*starts, num_classes])
    np.fill_diagonal(pooled, hits)
    hit = np.eye(len(starts), dtype=bool)[..., None]
    colour = np.where(hit, to_rgb(RIGHT), to_rgb(WRONG))
    end = len(starts) * step - 0.5
    axes.imshow(
        np.concatenate([colour, pooled[..., None]], axis=-1),
        extent=(-0.5, end, end, -0.5),
        interpolation="none",
    )
    axes.spines[:].set(visible=True, color=GRID)
    each = f", {step} classes a cell" if step > 1 else ""
    axes.set_xlabel("predicted class, by number")
    axes.set_ylabel(f"true class, by number{each}")


@rc_context(STYLE)
def reliability(calibration: Mapping[str, Sequence[float | int]]) -> Figure:
    """Draw accuracy against confidence, over a count of the predictions at each confidence.

    Args:
        calibration: `edges`, `confidence`, `accuracy` and `count` of the bins.

    Returns:
        Two panels with one axis of confidence.
    """
    edges, confidence, accuracy, count = (
        np.asarray(calibration[key], dtype=float)
        for key in ("edges", "confidence", "accuracy", "count")
    )
    filled = count > 0
    left, width = edges[:-1], np.diff(edges)
    figure = titled_figure("Accuracy at each confidence", PANEL, 4.6)
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3.2, 1))
    upper.bar(
        left[filled], accuracy[filled], 0.92 * width[filled], align="edge", color=RIGHT, alpha=0.55
    )
    upper.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)))
    upper.plot(
        confidence[filled],
        accuracy[filled],
        "o",
        color=WRONG,
        markeredgecolor=PAPER,
        markersize=5.5,
    )
    upper.vlines(
        confidence[filled], accuracy[filled], confidence[filled], color=WRONG, linewidth=1.6
    )
    upper.set(ylim=(0, 1.02), xlim=(0, 1))
    upper.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", is_latex=True))
    figure.legend(
        handles=[
            Line2D([], [], color=RIGHT, linewidth=6, alpha=0.55, label="share right"),
            Line2D([], [], color=WRONG, label="gap to confidence"),
            Line2D([], [], color=INK, linewidth=1, linestyle=(0, (4, 3)), label="calibrated"),
        ],
        loc="outside lower left",
        ncols=3,
    )
    lower.bar(left, count, 0.92 * width, align="edge", color=MUTED, alpha=0.6)
    lower.set(xlabel="confidence of the prediction", ylabel="images")
    lower.xaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", is_latex=True))
    return figure


@rc_context(STYLE)
def class_comparison(
    rows: Sequence[Mapping[str, Any]], runs: Sequence[str], measure: str = "f1"
) -> Figure:
    """Draw each class as a line with one dot a run.

    Args:
        rows: `name` and, under `measure`, the value of each run by name; drawn top down.
        runs: Names in their order of colours.
        measure: A key of the rows.

    Returns:
        A figure as high as its rows need.
    """
    title = f"{measure.upper() if measure == 'f1' else measure.capitalize()} by class"
    figure = titled_figure(title, PANEL, 1.5 + 0.24 * len(rows))
    axes = figure.add_subplot()
    axes.grid(axis="x")
    for place, row in enumerate(rows):
        values = [row[measure][run] for run in runs]
        axes.plot([min(values), max(values)], [place, place], color=MUTED, linewidth=1, alpha=0.7)
    for run, style in zip(runs, run_styles(), strict=False):
        axes.plot(
            [row[measure][run] for row in rows],
            range(len(rows)),
            "o",
            color=style["color"],
            markeredgecolor=PAPER,
            markersize=7,
            label=shorten(run, 26),
            clip_on=False,
        )
    axes.set_yticks(range(len(rows)), [shorten(row["name"], 22) for row in rows], color=INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.04)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    figure.legend(loc="outside lower left", ncols=2)
    return figure
