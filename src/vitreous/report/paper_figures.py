"""Figures of several panels, side by side as in the paper."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from vitreous.report.curves import run_styles
from vitreous.report.inside import draw_by_head, draw_filters, draw_similarity
from vitreous.report.powers import label_powers
from vitreous.report.style import INK, PANEL, STYLE, shorten, titled_figure


@rc_context(STYLE)
def embedding_and_distance(title: str, models: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw filters, position similarity and attention distance of each model in a row (Figure 7).

    Args:
        title: Of the figure.
        models: By name: `filters` (n, C, P, P), `similarity` (a, b, h, w), `distance` (L, k) in
            pixels, and `everywhere`, that of a head to which all patches are alike.
    """
    figure = titled_figure(title, 2.2 * PANEL, 0.8 * PANEL * len(models) + 0.3)
    bands = figure.subfigures(len(models), 1, squeeze=False)
    for band, (name, facts) in zip(bands[:, 0], models.items(), strict=True):
        band.suptitle(shorten(name, 80), x=0.0, ha="left")
        left, centre, right = band.subplots(1, 3, width_ratios=(1.05, 1.25, 1.05))
        filters = np.asarray(facts["filters"])
        kind = "RGB embedding filters" if filters.shape[1] == 3 else "Embedding filters"
        draw_filters(left, filters)
        draw_similarity(band, centre, np.asarray(facts["similarity"]))
        everywhere = facts["everywhere"]
        draw_by_head(
            right,
            "mean attention distance (pixels)",
            np.asarray(facts["distance"]),
            yardstick=(everywhere, f"all patches alike: {everywhere:.3g} px"),
        )
        right.legend(loc="lower right")
        for axes, what in (
            (left, f"{kind}\n(first {len(filters)} components)"),
            (centre, "Position embedding similarity\n"),
            (right, "Mean attention distance\na dot is a head"),
        ):
            axes.set_title(what, color=INK, loc="left", fontsize=10.5)
        left.set_anchor("N")
        centre.set_anchor("N")
    return figure


@rc_context(STYLE)
def distances_side_by_side(title: str, models: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the attention distance of each model beside the others, on one scale (Figure 11).

    Args:
        title: Of the figure.
        models: As `embedding_and_distance`.
    """
    figure = titled_figure(title, 0.85 * PANEL * max(len(models), 1), 3.5)
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    highest = 0.0
    for axes, (name, facts) in zip(panels, models.items(), strict=True):
        everywhere = facts["everywhere"]
        far = np.asarray(facts["distance"])
        label = f"all patches alike: {everywhere:.3g} px"
        unit = "pixels" if axes is panels[0] else ""
        draw_by_head(axes, unit, far, yardstick=(everywhere, label))
        axes.legend(loc="lower right")
        axes.set_title(shorten(name, 34), color=INK, loc="left", fontsize=10.5)
        highest = max(highest, everywhere, float(far.max()))
    panels[0].set_ylim(0, 1.08 * highest)
    return figure


@rc_context(STYLE)
def input_and_attention(
    pairs: Sequence[tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W 3"]]],
    title: str,
    *,
    across: int,
) -> Figure:
    """Draw each image beside the same one, lit by what is attended to (Figures 6 and 14).

    Args:
        pairs: Image, and the same one lit.
        title: Of the figure.
        across: Pairs in a row.
    """
    across = min(across, len(pairs))
    rows = -(-len(pairs) // across)
    H, W = pairs[0][0].shape[:2]
    width = min(1.6, 10.8 / (2 * across))
    height = width * H / W
    figure = titled_figure(title, 2 * width * across + 0.2, rows * height + 0.75)
    # The words have a row of their own: a title would take its height from the first pictures.
    outer = figure.add_gridspec(rows + 1, across, height_ratios=[0.16 / height, *[1] * rows])
    figure.get_layout_engine().set(w_pad=0.015, h_pad=0.015, wspace=0, hspace=0)  # type: ignore
    for place, pair in enumerate(pairs):
        row, column = divmod(place, across)
        inner = outer[row + 1, column].subgridspec(1, 3, width_ratios=(1, 1, 0.06))
        for side, pixels in enumerate(pair):
            axes = figure.add_subplot(inner[0, side])
            axes.set_axis_off()
            axes.imshow(pixels)
    for column in range(across):
        inner = outer[0, column].subgridspec(1, 3, width_ratios=(1, 1, 0.06))
        for side, word in enumerate(("input", "attention")):
            axes = figure.add_subplot(inner[0, side])
            axes.set_axis_off()
            axes.text(0.5, 0, word, fontsize=8.5, color=INK, ha="center", transform=axes.transAxes)
    return figure


@rc_context(STYLE)
def against_size(
    title: str, panels: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]
) -> Figure:
    """Draw what depends on the size of the images, a curve a model, both axes logarithmic.

    Args:
        title: Of the figure.
        panels: By what the axis beside says: (side in pixels, value) by model.
    """
    figure = titled_figure(title, PANEL * len(panels), 4.0)
    drawn = figure.subplots(1, len(panels), squeeze=False)[0]
    names = list(dict.fromkeys(name for rows in panels.values() for name in rows))
    styles = dict(zip(names, run_styles(), strict=False))
    for axes, (what, rows) in zip(drawn, panels.items(), strict=True):
        for name, points in rows.items():
            sides, values = zip(*points, strict=True)
            marker = "s" if name.startswith("BiT") else "o"
            axes.plot(sides, values, marker=marker, markersize=5, label=name, **styles[name])
        ticks = sorted({side for points in rows.values() for side, _ in points})
        axes.set(xscale="log", yscale="log", xlabel="input side (pixels)", ylabel=what)
        axes.set_xticks(ticks, [str(side) for side in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        label_powers(axes.yaxis)
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside lower left", ncols=4)
    return figure


@rc_context(STYLE)
def moved_features(title: str, models: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw what the maps of models make of a moved image, a band for each model.

    On the left of a band the difference from the moved features, a curve a map; on the right the
    image and each map, as they were, half a step on and a whole one.

    Args:
        title: Of the figure.
        models: By name: `step` in pixels, `photo`, three images, and `maps`: by name a `curve` of
            (shift, difference), and three `pictures`.
    """
    heights = [2.1 + 1.0 * len(facts["maps"]) for facts in models.values()]
    figure = titled_figure(title, 2.1 * PANEL, sum(heights))
    bands = figure.subfigures(len(models), 1, squeeze=False, height_ratios=heights)[:, 0]
    for band, (name, facts) in zip(bands, models.items(), strict=True):
        band.suptitle(shorten(name, 80), x=0.0, ha="left")
        left, right = band.subfigures(1, 2, width_ratios=(1.25, 1))
        axes = left.subplots()
        step, styles = facts["step"], run_styles()
        for kind, found in facts["maps"].items():
            axes.plot(*zip(*found["curve"], strict=True), label=kind, **next(styles))
        axes.set(xlabel="image moved by (pixels)", ylabel="difference from the moved features")
        axes.set_xticks([0, step // 2, step, 3 * step // 2, 2 * step])
        axes.set_ylim(bottom=0)
        left.legend(loc="outside lower left", ncols=2)
        rows = {"image": facts["photo"]} | {
            kind: found["pictures"] for kind, found in facts["maps"].items()
        }
        grid = right.subplots(len(rows), 3, squeeze=False)
        for shift, cell in zip((0, max(step // 2, 1), step), grid[0], strict=True):
            cell.set_title(f"moved by {shift} px" if shift else "as it is", fontsize=9.5, color=INK)
        for line, (kind, pictures) in zip(grid, rows.items(), strict=True):
            for cell, pixels in zip(line, pictures, strict=True):
                cell.imshow(pixels, interpolation="nearest")
                cell.set(xticks=[], yticks=[])
                cell.grid(visible=False)
                cell.spines[:].set_visible(False)
            words = kind.replace(", ", ",\n")
            line[0].set_ylabel(words, rotation=0, ha="right", va="center", color=INK)
    return figure


@rc_context(STYLE)
def by_task(tasks: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]) -> Figure:
    """Draw the accuracies of each task in a line: what was measured, and what is published.

    Args:
        tasks: By name: measured accuracy by model, and published by model.
    """
    figure = titled_figure("VTAB-1k, task by task", 1.2 * PANEL, 1.4 + 0.28 * len(tasks))
    axes = figure.add_subplot(xlabel="top-1 accuracy")
    axes.grid(axis="x")
    places = range(len(tasks))
    styles = run_styles()
    measured = dict.fromkeys(name for here, _ in tasks.values() for name in here)
    published = dict.fromkeys(name for _, paper in tasks.values() for name in paper)
    for name in measured:
        values = [here.get(name, float("nan")) for here, _ in tasks.values()]
        axes.plot(values, places, "o", color=next(styles)["color"], markersize=7, label=name)
    for name, marker in zip(published, "|xd", strict=False):
        values = [paper.get(name, float("nan")) for _, paper in tasks.values()]
        axes.plot(values, places, marker, color=INK, markersize=6, label=name, linestyle="")
    axes.set_yticks(places, list(tasks), color=INK)
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", is_latex=True))
    figure.legend(loc="outside lower left", ncols=4)
    return figure
