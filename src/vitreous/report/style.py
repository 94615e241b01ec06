"""How every figure looks: type, lines and colours, chosen once."""

from typing import Any

from matplotlib.figure import Figure

# Every colour here has a twin in page.css, by the name in `CSS_VARIABLES`, so that the figures
# follow the page into the dark.
INK = "#1c2330"
MUTED = "#5d6675"
GRID = "#e4e2dc"
PAPER = "#fdfcfa"
RIGHT = "#0b66ad"
WRONG = "#d9541e"

CSS_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    PAPER: "--paper",
    RIGHT: "--right",
    WRONG: "--wrong",
}

# Okabe and Ito's colours, told apart by people who see red and green alike; the yellow, too pale
# for a line, is left out. Source: https://jfly.uni-koeln.de/color/
RUN_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
RUN_DASHES = ("-", "--", ":", "-.")

# Width in inches. One viewBox unit is one point, so a figure of PANEL inches has the same type
# size as its neighbours when the page lays them side by side.
PANEL = 5.4

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    # Class names are text: "$5_bill$" is not a formula.
    "text.parse_math": False,
    "text.color": INK,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.handlelength": 1.6,
    "legend.borderaxespad": 0.2,
}


def titled_figure(title: str, width: float, height: float) -> Figure:
    """Make an empty figure whose title stands flush with its left edge, as text on a page does."""
    figure = Figure(figsize=(width, height))
    figure.suptitle(title, x=0.0, ha="left")
    return figure


def drawable(name: str) -> str:
    r"""A name with what no font has, bytes of file names that are not UTF-8, as `\udcXX`."""
    return name.encode("utf-8", "backslashreplace").decode()


def shorten(name: str, length: int) -> str:
    """Cut a name in the middle, so that what tells it from its neighbours is likely to stay."""
    name = drawable(name)
    if len(name) <= length:
        return name
    head = length // 2
    return f"{name[:head]}…{name[head + 1 - length :]}"
