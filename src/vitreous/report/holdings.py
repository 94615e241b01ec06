"""What a data set holds, drawn: images a class, and sizes."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vitreous.report.curves import run_styles
from vitreous.report.style import MUTED, PANEL, RIGHT, STYLE, shorten, titled_figure

_MOST_NAMED = 40


@rc_context(STYLE)
def class_balance(
    counts: Mapping[str, Int64[np.ndarray, " K"]], class_names: Sequence[str]
) -> Figure:
    """Draw the images of each class as a bar, the parts one after the other.

    Up to 40 classes are named, in their order; more are drawn as a curve of sorted counts.

    Args:
        counts: Images by part and class.
        class_names: In label order.
    """
    num_classes = len(class_names)
    named = num_classes <= _MOST_NAMED
    height = 0.9 + 0.27 * num_classes if named else 3.2
    figure = titled_figure("Images a class", PANEL, height)
    axes = figure.add_subplot()
    axes.grid(True, axis="x" if named else "y")
    axes.grid(False, axis="y" if named else "x")
    total = sum(counts.values(), np.zeros(num_classes, np.int64))
    order = np.arange(num_classes) if named else np.argsort(-total, kind="stable")
    before = np.zeros(num_classes)
    for (part, own), style in zip(counts.items(), run_styles(), strict=False):
        place = np.arange(num_classes)
        look = {"color": style["color"], "label": part, "linewidth": 0}
        if named:
            axes.barh(place, own, left=before, height=0.66, **look)
        else:
            axes.fill_between(place, before, before + own[order], step="mid", **look)
        before = before + (own if named else own[order])
    if named:
        axes.set_yticks(np.arange(num_classes), [shorten(name, 24) for name in class_names])
        axes.set_ylim(num_classes - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.tick_params(axis="x", length=0)
    else:
        axes.set_xlabel("classes, the largest first")
    if len(counts) > 1:
        figure.legend(loc="outside upper right", ncols=len(counts))
    return figure


@rc_context(STYLE)
def image_sizes(sizes: Int64[np.ndarray, "n 2"]) -> Figure:
    """Draw each size that occurs as a dot, the larger the more images have it.

    Args:
        sizes: (H, W) of each image, pixels.
    """
    figure = titled_figure("Width and height, pixels", PANEL, 3.6)
    axes = figure.add_subplot(xlabel="width", ylabel="height")
    axes.grid(True, axis="both")
    unique, count = np.unique(sizes, axis=0, return_counts=True)
    area = 10 + 240 * np.sqrt(count / count.max())
    high, wide = unique.T
    axes.axline((0, 0), slope=1, color=MUTED, linewidth=0.8, linestyle=":")
    axes.scatter(wide, high, area, color=RIGHT, alpha=0.35, linewidths=0)
    axes.set_xlim(0, 1.1 * float(wide.max()))
    axes.set_ylim(0, 1.1 * float(high.max()))
    return figure
