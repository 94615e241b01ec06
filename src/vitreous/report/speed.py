"""How fast models are: beside one another, and as the work grows."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from vitreous.report.curves import run_styles
from vitreous.report.powers import label_powers
from vitreous.report.style import GRID, INK, MUTED, PANEL, STYLE, titled_figure

_LINE, _GAP = 0.125, 0.125  # inches: a peer's, and between two cases


@rc_context(STYLE)
def speed_beside(
    rows: Sequence[tuple[str, Mapping[str, float]]], subjects: Sequence[str]
) -> Figure:
    """Draw each case as a band, in it one line a peer, a dot at its share of the first one's speed.

    Args:
        rows: What each case is called, and images a second by subject; drawn top down. Those
            without the first subject, or with it alone, are left out.
        subjects: Names in their order of colours and of lines; the first stands at 1, throughout.

    Returns:
        A figure as high as its lines need.
    """
    first, *peers = subjects
    dots: dict[str, list[tuple[float, float]]] = {peer: [] for peer in peers}
    names, middles, borders, below = list[str](), list[float](), list[float](), 0.0
    for name, rates in rows:
        taking = [peer for peer in peers if peer in rates and first in rates]
        if not taking:
            continue
        top = below + (_GAP if names else 0)
        for place, peer in enumerate(taking):
            dots[peer].append((rates[peer] / rates[first], top + (place + 0.5) * _LINE))
        below = top + len(taking) * _LINE
        names.append(name)
        middles.append((top + below) / 2)
        borders.append(below + _GAP / 2)
    figure = titled_figure(f"Speed, {first} = 1", 1.5 * PANEL, 1.3 + below)
    axes = figure.add_subplot(xlabel="images a second, as a share of ours")
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    for border in borders[:-1]:
        axes.axhline(border, color=GRID, linewidth=0.8)
    styles = dict(zip(subjects, run_styles(), strict=False))
    axes.axvline(1, color=styles[first]["color"], label=first)
    for peer, places in dots.items():
        if places:
            shares, lines = zip(*places, strict=True)
            colour = styles[peer]["color"]
            axes.hlines(lines, shares, 1, color=colour, linewidth=1.1, alpha=0.45)
            axes.plot(shares, lines, "o", color=colour, markersize=6, label=peer)
    axes.set_yticks(middles, names, color=INK)
    axes.set_ylim(below + _GAP / 2, -_GAP / 2)
    axes.set_xlim(left=0)
    figure.legend(loc="outside lower left", ncols=5)
    return figure


@rc_context(STYLE)
def growth(panels: Sequence[Mapping[str, Any]], subjects: Sequence[str]) -> Figure:
    """Draw seconds of a call against the work, both in powers of ten, one panel a curve.

    Args:
        panels: Each with `title`, `axis` (what differs), `at`, `labels`, `operations`, and
            `seconds` by subject with None where there is none. One point is no curve.
        subjects: Names in their order of colours. Broken lines have the slope of the operations,
            through the first subject's dearest case: what lies above them is less than the
            machine's best.

    Returns:
        Panels one beside the other.
    """
    figure = titled_figure("Time of a call as the work grows", 0.8 * PANEL * len(panels), 3.4)
    named: set[str] = set()

    def name_once(words: str) -> str | None:
        fresh = words not in named
        named.add(words)
        return words if fresh else None

    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number, xlabel=panel["axis"])
        axes.set_title(panel["title"], fontsize=8, color=MUTED, loc="left")
        axes.grid(axis="both")
        at, operations = panel["at"], panel["operations"]
        for subject, style in zip(subjects, run_styles(), strict=False):
            seconds = panel["seconds"].get(subject, [])
            points = [(x, y) for x, y in zip(at, seconds, strict=False) if y is not None]
            if len(points) < 2:
                continue
            label = name_once(subject)
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=label, **style)
            if subject == subjects[0] and seconds[-1] is not None:
                scale = seconds[-1] / operations[-1]
                straight = [scale * count for count in operations]
                label = name_once("in proportion to the operations")
                axes.plot(at, straight, "--", color=MUTED, linewidth=1, label=label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(FixedLocator(at))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(at, panel["labels"], fontsize=8)
        label_powers(axes.yaxis)
        if number == 1:
            axes.set_ylabel("seconds")
    figure.legend(loc="outside lower left", ncols=6)
    return figure
