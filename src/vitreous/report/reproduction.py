"""The paper's tables and figures, drawn from what was measured again."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from vitreous.report.curves import run_styles
from vitreous.report.inside import draw_similarity
from vitreous.report.powers import label_powers
from vitreous.report.style import INK, MUTED, PANEL, STYLE, titled_figure

Point = tuple[float, float, float]
"""Place along the axis, mean, and deviation over seeds."""

_MARKERS = "osD^v<>"


@rc_context(STYLE)
def curves(
    title: str,
    series: Mapping[str, Sequence[Point]],
    *,
    x: str,
    y: str,
    logarithmic: bool = False,
    percent: bool = True,
) -> Figure:
    """Draw one curve a row, with bars of one deviation over seeds.

    Args:
        title: Of the figure.
        series: Points by the curve's name.
        x: What the axis below says.
        y: What the axis beside says.
        logarithmic: Whether the axis below is.
        percent: Whether values are shares.
    """
    figure = titled_figure(title, PANEL, 3.6)
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    styles = islice(run_styles(), len(series))
    for place, ((name, points), style) in enumerate(zip(series.items(), styles, strict=True)):
        places, means, spreads = zip(*sorted(points), strict=True)
        marker = _MARKERS[place % len(_MARKERS)] if len(points) < 12 else ""
        axes.errorbar(
            places, means, spreads, label=name, marker=marker, markersize=5, capsize=2, **style
        )
    if logarithmic:
        axes.set_xscale("log")
        ticks = sorted({point[0] for points in series.values() for point in points})
        axes.xaxis.set_minor_locator(NullLocator())
        if len(ticks) <= 8:
            axes.set_xticks(ticks, [f"{tick:,.6g}" for tick in ticks])
        else:
            label_powers(axes.xaxis)
    _as_percent(axes, percent)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


@rc_context(STYLE)
def loss_curves(title: str, parts: Mapping[str, Mapping[str, Sequence[Point]]]) -> Figure:
    """Draw the losses of several runs over epochs, a panel for each part of the data.

    Args:
        title: Of the figure.
        parts: By the panel's name (training, validation), each run's points by its name: epoch,
            mean loss in nats, and deviation over seeds, which is drawn as a band.
    """
    figure = titled_figure(title, 1.5 * PANEL, 3.6)
    panels = np.atleast_1d(figure.subplots(1, len(parts), sharey=True))
    for axes, (part, runs) in zip(panels, parts.items(), strict=True):
        for (name, points), style in zip(runs.items(), run_styles(), strict=False):
            epochs, means, spreads = np.array(points, dtype=float).reshape(-1, 3).T
            axes.plot(epochs, means, label=name, **style)
            axes.fill_between(
                epochs, means - spreads, means + spreads, color=style["color"], alpha=0.2, lw=0
            )
        axes.set_title(part, color=INK, loc="left", fontsize=10)
        axes.set_xlabel("epoch")
    panels[0].set_ylabel("loss, nats")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


@rc_context(STYLE)
def dots(
    title: str,
    rows: Mapping[str, Sequence[float]],
    *,
    x: str,
    percent: bool = True,
    bar: tuple[float, str] | None = None,
) -> Figure:
    """Draw each seed of each row as a dot, and the mean as a line through them.

    Args:
        title: Of the figure.
        rows: Values over seeds by the row's name, drawn from top to bottom.
        x: What the axis below says.
        percent: Whether values are shares.
        bar: A value that is to be reached, and what the line at it says.
    """
    figure = titled_figure(title, PANEL, 1.1 + 0.28 * len(rows))
    axes = figure.add_subplot(xlabel=x)
    axes.grid(axis="x")
    for place, values in enumerate(rows.values()):
        mean = sum(values) / len(values)
        axes.plot([mean, mean], [place - 0.3, place + 0.3], color=INK, linewidth=1.6)
        axes.plot(values, [place] * len(values), "o", color=MUTED, alpha=0.7, markersize=5)
    if bar is not None:
        axes.axvline(bar[0], color=MUTED, linestyle="--", linewidth=1.2)
        axes.annotate(
            bar[1],
            (bar[0], 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            color=MUTED,
            fontsize=9,
        )
    axes.set_yticks(range(len(rows)), list(rows), color=INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.locator_params(axis="x", nbins=6)  # of values that are close, each takes more room
    if percent:
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", is_latex=True))
    return figure


@rc_context(STYLE)
def similarities(title: str, models: Mapping[str, Float[np.ndarray, "h w h w"]]) -> Figure:
    """Draw the position similarity of several models side by side (Figure 10).

    Args:
        title: Of the figure.
        models: Cosines by the model's name (see `vitreous.report.inside.position_similarity`).
    """
    figure = titled_figure(title, 0.8 * PANEL * len(models), 0.85 * PANEL)
    panels = np.atleast_1d(figure.subplots(1, len(models)))
    for axes, (name, similarity) in zip(panels, models.items(), strict=True):
        draw_similarity(figure, axes, similarity)
        axes.set_title(name, color=INK, loc="left", fontsize=10)
    return figure


def _as_percent(axes: Axes, percent: bool) -> None:
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", is_latex=True))
