"""What happened during training: loss, accuracy and learning rate over epochs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from vitreous.report.style import (
    MUTED,
    PANEL,
    PAPER,
    RIGHT,
    RUN_COLOURS,
    RUN_DASHES,
    STYLE,
    shorten,
    titled_figure,
)

History = Sequence[Mapping[str, Any]]

# Fewer points than this are drawn as they are: smoothing would hide how few they are.
_FEW = 24
# More points than this are finer than any screen.
_MOST = 2000


def curve(history: History, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Take one measure out of a run's log.

    Args:
        history: The lines of `metrics.jsonl`, each with an `epoch` and whatever it measured.
        measure: A key, like `loss` or `validation_accuracy`.

    Returns:
        The epochs and the values of the lines that have the measure as a finite number; means
        of neighbouring lines where there are more than 2,000.
    """
    points = [
        (line["epoch"], line[measure])
        for line in history
        if isinstance(line.get(measure), int | float) and isfinite(line[measure])
    ]
    epochs, values = _thin(np.array(points, dtype=float).reshape(-1, 2)).T
    return epochs, values


def _thin(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "m 2"]:
    """Average neighbouring points until a figure can hold them all."""
    step = -(-len(points) // _MOST)
    if step <= 1:
        return points
    starts = np.arange(0, len(points), step)
    lengths = np.diff([*starts, len(points)])
    return np.add.reduceat(points, starts, axis=0) / lengths[:, None]


def smooth(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Average each value with its neighbours, weighted by a Gaussian 2 % of the curve wide.

    At the ends the average has fewer neighbours and does not reach beyond the curve; a running
    mean of the past would lag behind validation by its own width.
    """
    if len(values) < _FEW:
        return values
    width = 0.02 * len(values)
    reach = int(np.ceil(3 * width))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    whole = np.convolve(np.ones(len(values)), weights)[reach : reach + len(values)]
    return np.convolve(values, weights)[reach : reach + len(values)] / whole


@rc_context(STYLE)
def training_curves(history: History) -> dict[str, Figure]:
    """Draw one run: a score, `loss`, `learning rate` and `speed`, one figure each.

    The score is `accuracy`, or `accuracy of patch colours` of a run that learnt those.

    They are separate so that a page can lay them side by side or, on a telephone, one under
    another. Measures that the history lacks are left out.

    Args:
        history: The lines of `metrics.jsonl`: `step`, `epoch`, `loss`, `accuracy` or
            `colour_accuracy` of the training batch, `learning_rate` and `images_per_second`, or
            `validation_loss` and the same score, `validation_...`.

    Returns:
        Figures by title, in reading order; none for a history without measures.
    """
    figures = {}
    for title, measure, best in (
        ("accuracy", "accuracy", max),
        ("accuracy of patch colours", "colour_accuracy", max),
        ("loss", "loss", min),
    ):
        figure = _measure(history, title, measure, best)
        if figure is not None:
            figures[title] = figure
    for title, measure in (("learning rate", "learning_rate"), ("speed", "images_per_second")):
        epochs, values = curve(history, measure)
        if len(values):
            figure, axes = _panel(title.capitalize(), height=1.7)
            if measure == "images_per_second":
                values = smooth(values)
                axes.set_ylabel("images / s")
            axes.plot(epochs, values, color=MUTED, linewidth=1.4)
            axes.set_ylim(bottom=0, top=1.1 * values.max() or 1)
            axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            figures[title] = figure
    return figures


@rc_context(STYLE)
def compare_curves(histories: Mapping[str, History]) -> dict[str, Figure]:
    """Draw the validation and training curves of several runs over each other.

    Args:
        histories: Each run's lines of `metrics.jsonl`, by the run's name.

    Returns:
        `validation accuracy`, `training accuracy`, `validation loss` and `training loss`, as far as
        a run measured them. A run keeps its colour in all, and in every other figure that takes the
        same names in this order. Curves of training batches are smoothed and have no dot at the
        best epoch: each point is of other images.
    """
    figures = {}
    for title, measure, best in (
        ("validation accuracy", "validation_accuracy", max),
        ("training accuracy", "accuracy", None),
        ("validation loss", "validation_loss", min),
        ("training loss", "loss", None),
    ):
        curves = {name: curve(lines, measure) for name, lines in histories.items()}
        if not any(len(values) for _, values in curves.values()):
            continue
        figure, axes = _panel(title.capitalize(), height=3.3)
        for (name, (epochs, values)), style in zip(curves.items(), run_styles(), strict=False):
            if not len(values):
                continue
            shown = smooth(values) if best is None else values
            axes.plot(epochs, shown, label=shorten(name, 26), **style)
            if best is not None:
                _mark_best(axes, epochs, values, best, style["color"])
        if measure.endswith("accuracy"):
            _as_percent(axes)
        figure.legend(loc="outside lower left", ncols=2)
        figures[title] = figure
    return figures


def run_styles() -> Iterator[dict[str, Any]]:
    """Give each run in turn a colour, and dashes when the colours are used up; without end."""
    while True:
        for dash in RUN_DASHES:
            for colour in RUN_COLOURS:
                yield {"color": colour, "linestyle": dash}


def _measure(
    history: History, title: str, measure: str, best: Callable[[Float[np.ndarray, " n"]], Any]
) -> Figure | None:
    train_epochs, train = curve(history, measure)
    epochs, validation = curve(history, f"validation_{measure}")
    if not len(train) and not len(validation):
        return None
    figure, axes = _panel(title.capitalize(), height=3.1)
    shown = []
    if len(train):
        average = smooth(train)
        if len(train) >= _FEW:
            axes.plot(train_epochs, train, color=MUTED, alpha=0.2, linewidth=0.6)
        axes.plot(train_epochs, average, color=MUTED, label="training batches")
        shown.append(average)
    if len(validation):
        axes.plot(epochs, validation, color=RIGHT, label="validation")
        _mark_best(axes, epochs, validation, best, RIGHT)
        shown.append(validation)
    # Set by what is to be compared: the noise around it may leave the frame.
    low = min(values.min() for values in shown)
    high = max(values.max() for values in shown)
    margin = 0.06 * (high - low) or 0.5
    axes.set_ylim(max(0.0, low - margin), high + margin)
    if measure.endswith("accuracy"):
        _as_percent(axes)
        axes.set_ylim(top=min(1.0, high + margin) if high < 1 else 1.01)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def _panel(title: str, height: float) -> tuple[Figure, Axes]:
    figure = titled_figure(title, PANEL, height)
    axes = figure.add_subplot(xlabel="epoch")
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    return figure, axes


def _as_percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", is_latex=True))


def _mark_best(axes: Axes, epochs: Any, values: Any, best: Any, colour: str) -> None:
    index = int(np.flatnonzero(values == best(values))[0])
    axes.plot(epochs[index], values[index], "o", color=colour, markeredgecolor=PAPER, markersize=6)
