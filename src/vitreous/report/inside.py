"""Figures of a model's inside, laid out as in the paper."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Num
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import PercentFormatter

from vitreous.analysis.trust import Trust
from vitreous.report.pictures import visible
from vitreous.report.style import (
    INK,
    MUTED,
    PANEL,
    RIGHT,
    RUN_COLOURS,
    STYLE,
    drawable,
    titled_figure,
)

HEAT = "viridis"  # also the paper's, for position similarity
_MOST_TILES = 14  # maps a side that can still be told apart
_TILE_PIXELS = 16  # small maps are enlarged to about so many, so that the gap between stays thin


@rc_context(STYLE)
def filters(components: Float[np.ndarray, "n C P P2"]) -> Figure:
    """Draw principal components of an embedding's filters in rows of seven (Figure 7, left).

    Args:
        components: Of three channels, drawn as red, green and blue, or of others, drawn as the
            grey of their mean. Zero is mid-grey; each is scaled by its own largest value.

    Returns:
        A figure of one picture.
    """
    count, channels = components.shape[:2]
    columns = min(7, count)
    rows = -(-count // columns)
    kind = "RGB embedding filters" if channels == 3 else "Embedding filters"
    figure = titled_figure(f"{kind}, first {count} components", PANEL, 0.45 + PANEL * rows / 7)
    axes = figure.add_subplot()
    draw_filters(axes, components)
    return figure


def draw_filters(axes: Axes, components: Float[np.ndarray, "n C P P2"]) -> None:
    """Draw `filters` into given axes."""
    count, channels = components.shape[:2]
    images = components if channels == 3 else components.mean(1, keepdims=True).repeat(3, axis=1)
    peaks = np.abs(images).max(axis=(1, 2, 3), keepdims=True)
    images = 0.5 + images / np.where(peaks > 0, 2 * peaks, 1)
    columns = min(7, count)
    rows = -(-count // columns)
    tiles = np.full((rows * columns, *images.shape[2:], 3), np.nan)
    tiles[:count] = images.transpose(0, 2, 3, 1)
    _bare(axes)
    # What lies between the tiles shows the page.
    mosaic = _mosaic(tiles.reshape(rows, columns, *tiles.shape[1:]))
    alpha = np.isfinite(mosaic[..., :1]).astype(float)
    axes.imshow(np.concatenate([np.nan_to_num(mosaic), alpha], axis=-1), interpolation="none")


@rc_context(STYLE)
def position_similarity(similarity: Float[np.ndarray, "h w h w"]) -> Figure:
    """Draw a cosine map for each patch, in the patches' own order (Figures 7, centre, and 10).

    Args:
        similarity: Of the patch of the first two axes with that of the last two. Of more than 14
            rows or columns, 14 are shown.

    Returns:
        A figure with the paper's scale from -1 to 1.
    """
    h, w = similarity.shape[:2]
    rows, columns = _shown(h), _shown(w)
    # The longer side takes the panel.
    side = (PANEL - 1.55) / max(len(columns) * w, len(rows) * h)
    figure = titled_figure(
        "Position embedding similarity", PANEL, 0.85 + max(side * len(rows) * h, 0.5)
    )
    draw_similarity(figure, figure.add_subplot(), similarity)
    return figure


def draw_similarity(
    figure: FigureBase, axes: Axes, similarity: Float[np.ndarray, "h w h w"]
) -> None:
    """Draw `position_similarity` into given axes, with its scale beside them."""
    rows, columns = (_shown(n) for n in similarity.shape[:2])
    tiles = similarity[rows][:, columns]
    axes.set(xlabel="input patch column", ylabel="input patch row")
    mosaic, centres = _mosaic(tiles), _centres(tiles)
    _bare(axes)
    shown = axes.imshow(mosaic, cmap=HEAT, vmin=-1, vmax=1, interpolation="none")
    _tick(axes, centres, [str(row + 1) for row in rows], [str(column + 1) for column in columns])
    bar = figure.colorbar(shown, ax=axes, label="cosine similarity", shrink=0.86, aspect=28)
    bar.outline.set_visible(False)


def _shown(side: int) -> np.ndarray:
    """Rows or columns of a grid that are drawn: those at its ends are."""
    return np.unique(np.linspace(0, side - 1, min(side, _MOST_TILES)).round().astype(int))


@rc_context(STYLE)
def by_head(
    title: str,
    unit: str,
    mean: Float[np.ndarray, "L k"],
    deviation: Float[np.ndarray, "L k"] | None = None,
    yardstick: tuple[float, str] | None = None,
) -> Figure:
    """Draw one dot a head over the depth of the network (Figures 7, right, and 11).

    Args:
        title: Of the figure.
        unit: Of the y axis, with its unit.
        mean: Over images.
        deviation: Over images; a line through each dot.
        yardstick: A value to compare with and its name; a dashed line.

    Returns:
        The figure; the heads of a layer stand side by side in their order.
    """
    figure = titled_figure(title, PANEL, 3.4)
    axes = figure.add_subplot()
    draw_by_head(axes, unit, mean, deviation, yardstick)
    if yardstick is not None:
        figure.legend(loc="outside lower left")
    return figure


def draw_by_head(
    axes: Axes,
    unit: str,
    mean: Float[np.ndarray, "L k"],
    deviation: Float[np.ndarray, "L k"] | None = None,
    yardstick: tuple[float, str] | None = None,
) -> None:
    """Draw `by_head` into given axes, without a legend."""
    layers, heads = mean.shape
    axes.set(xlabel="network depth (layer)", ylabel=unit)
    aside = np.linspace(-0.26, 0.26, heads) if heads > 1 else np.zeros(1)
    x = np.arange(1, layers + 1)[:, None] + aside
    if deviation is not None:
        axes.vlines(
            x.ravel(),
            (mean - deviation).ravel(),
            (mean + deviation).ravel(),
            color=RIGHT,
            alpha=0.35,
            linewidth=1.2,
        )
    axes.plot(x.ravel(), mean.ravel(), "o", color=RIGHT, markersize=3.6, markeredgewidth=0)
    highest = float((mean if deviation is None else mean + deviation).max())
    if yardstick is not None:
        value, name = yardstick
        axes.axhline(value, color=INK, linewidth=1, linestyle=(0, (4, 3)), label=name)
        highest = max(highest, value)
    axes.set_ylim(0, 1.08 * highest or 1)
    layer_ticks(axes, layers)


@rc_context(STYLE)
def by_layer(
    title: str,
    unit: str,
    mean: Float[np.ndarray, " L"],
    deviation: Float[np.ndarray, " L"] | None = None,
    *,
    percent: bool = False,
) -> Figure:
    """Draw one number a layer, with a band of one standard deviation over images.

    Args:
        title: Of the figure.
        unit: Of the y axis, with its unit.
        mean: Over images.
        deviation: Over images.
        percent: The numbers are shares, to be written in per cent.
    """
    layers = len(mean)
    figure = titled_figure(title, PANEL, 3.0)
    axes = figure.add_subplot(xlabel="network depth (layer)", ylabel=unit)
    x = np.arange(1, layers + 1)
    highest = mean
    if deviation is not None:
        axes.fill_between(
            x, np.maximum(mean - deviation, 0), mean + deviation, color=RIGHT, alpha=0.18, lw=0
        )
        highest = mean + deviation
    axes.plot(x, mean, "o-", color=RIGHT, markersize=4)
    axes.set_ylim(0, 1.08 * float(highest.max()) or 1)
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", is_latex=True))
    layer_ticks(axes, layers)
    return figure


@rc_context(STYLE)
def head_maps(maps: Float[np.ndarray, "L k h w"]) -> Figure:
    """Draw the attention of each head to each patch: a column a layer, a row a head.

    Args:
        maps: Each is scaled by its own largest value.
    """
    layers, heads, h, w = maps.shape
    peaks = maps.max(axis=(2, 3), keepdims=True)
    tiles = (maps / np.where(peaks > 0, peaks, 1)).swapaxes(0, 1)
    tile = float(np.clip(9.4 / layers, 0.4, 0.9))
    width, height = tile * layers + 0.6, tile * heads * h / w + 0.85
    figure = titled_figure("Attention of each head", max(width, 3.0), height)
    axes = figure.add_subplot(xlabel="layer", ylabel="head")
    _bare(axes)
    axes.imshow(_mosaic(tiles), cmap=HEAT, vmin=0, vmax=1, interpolation="none")
    numbers = [[str(n + 1) for n in range(count)] for count in (heads, layers)]
    _tick(axes, _centres(tiles), *numbers)
    return figure


@rc_context(STYLE)
def trust_curves(trusts: Mapping[str, Trust], chance: Trust) -> Figure:
    """Draw what becomes of a class's probability when patches go, and when they come.

    Args:
        trusts: By the name of the map.
        chance: The same for random orders.
    """
    figure = titled_figure("Probability of the class", 2 * PANEL, 3.5)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, kind, words in zip(
        panels,
        ("deletion", "insertion"),
        ("patches painted over, brightest first", "patches put back, brightest first"),
        strict=True,
    ):
        random = getattr(chance, kind)
        axes.plot(
            random.shares, random.probabilities, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.4,
            label="random order",
        )  # fmt: skip
        for (name, trust), colour in zip(trusts.items(), RUN_COLOURS, strict=False):
            curve = getattr(trust, kind)
            axes.plot(curve.shares, curve.probabilities, color=colour, label=name)
        axes.set(xlabel=words, xlim=(0, 1), ylim=(0, 1.02))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", is_latex=True))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=5)
    return figure


@rc_context(STYLE)
def randomisation(correlations: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw how like themselves maps stay while the weights are randomised from the head down.

    Args:
        correlations: By station, then by the name of the map.
    """
    stations = ["as trained", *correlations]
    figure = titled_figure("Likeness after randomising weights", PANEL, 3.6)
    axes = figure.add_subplot(ylabel="rank correlation with the map")
    for name, colour in zip(next(iter(correlations.values())), RUN_COLOURS, strict=False):
        values = [1.0, *(row[name] for row in correlations.values())]
        axes.plot(range(len(stations)), values, "o-", color=colour, markersize=3.5, label=name)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_ylim(
        min(-0.3, *(v for row in correlations.values() for v in row.values())) - 0.05, 1.05
    )
    step = -(-len(stations) // 16)
    places = [p for p in range(len(stations)) if p % step == 0 or p == len(stations) - 1]
    axes.set_xticks(
        places, [stations[p] for p in places], rotation=40, ha="right", rotation_mode="anchor"
    )
    figure.legend(loc="outside lower left", ncols=2)
    return figure


@rc_context(STYLE)
def gallery(
    pictures: Sequence[tuple[str, Num[np.ndarray, "H W C"]]], columns: int, title: str
) -> Figure:
    """Draw pictures in rows, each under its name, as in Figures 6 and 14.

    Args:
        pictures: Name and uint8 pixels of any number of channels; all of one size.
        columns: Pictures a row.
        title: Of the figure.
    """
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    H, W = pictures[0][1].shape[:2]
    side = min(2.0, 10.8 / columns)
    figure = titled_figure(title, columns * side, rows * (side * H / W + 0.25) + 0.35)
    for place, (name, pixels) in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, place + 1)
        _bare(axes)
        seen = visible(pixels)
        axes.imshow(seen.repeat(3, axis=2) if seen.shape[2] == 1 else seen)
        axes.set_title(drawable(name), fontsize=8.5, color=MUTED, loc="left", pad=3)
    return figure


def _bare(axes: Axes) -> None:
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def layer_ticks(axes: Axes, layers: int) -> None:
    """Number the layers from 1 along the x axis, a dozen at most."""
    axes.set_xlim(0.4, layers + 0.6)
    step = -(-layers // 12)
    axes.set_xticks(range(step, layers + 1, step))


def _enlarged(h: int, w: int) -> int:
    return max(1, _TILE_PIXELS // max(h, w))


def _mosaic(tiles: Float[np.ndarray, "R C h w *c"]) -> Float[np.ndarray, "H W *c"]:
    """Tiles side by side in one picture; NaN between them."""
    rows, columns, h, w = tiles.shape[:4]
    times = _enlarged(h, w)
    tiles = tiles.repeat(times, axis=2).repeat(times, axis=3)
    gap = [(0, 0), (0, 0), (1, 1), (1, 1)] + [(0, 0)] * (tiles.ndim - 4)
    tiles = np.pad(tiles.astype(float), gap, constant_values=np.nan)
    tiles = np.moveaxis(tiles, 1, 2)  # (R, h, C, w, ...)
    return tiles.reshape(rows * tiles.shape[1], columns * tiles.shape[3], *tiles.shape[4:])


def _centres(tiles: Float[np.ndarray, "R C h w"]) -> tuple[np.ndarray, np.ndarray]:
    """Where the middle of each row and column of tiles lies in the mosaic."""
    rows, columns, h, w = tiles.shape
    high, wide = (_enlarged(h, w) * side + 2 for side in (h, w))
    return (np.arange(rows) + 0.5) * high - 0.5, (np.arange(columns) + 0.5) * wide - 0.5


def _tick(
    axes: Axes, centres: tuple[np.ndarray, np.ndarray], rows: list[str], columns: list[str]
) -> None:
    axes.set_yticks(centres[0], rows, fontsize=8.5)
    axes.set_xticks(centres[1], columns, fontsize=8.5)
