"""A figure as SVG that lives inside a page, next to others."""

import io
import re
import warnings
from html import escape
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from vitreous.report.style import CSS_VARIABLES, PAPER

_PROLOGUE = re.compile(r"\A.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"')
_IDENTIFIER = re.compile(r'(\bid="|href="#|url\(#)')
_COLOUR = re.compile("|".join(CSS_VARIABLES))


def figure_svg(figure: Figure, name: str) -> str:
    """Draw a figure as an `<svg>` element.

    Text stays text, in the page's own typeface; the colours of `style` become the page's CSS
    variables, with the colour itself as the fallback; every id begins with `name`; the same figure
    gives the same text on every day.

    Args:
        figure: What to draw.
        name: Tells its ids from those of the page's other figures; also its label for people
            who hear the page.

    Returns:
        The element, without XML prologue or metadata, as wide as its container.
    """
    file = io.StringIO()
    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": name}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # Names in any script are the browser's to draw; only their width is a guess here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    identifier = re.sub(r"\W+", "-", name).strip("-")
    drawing = _METADATA.sub("", _PROLOGUE.sub("", file.getvalue()))
    drawing = _SIZE.sub(rf'role="img" aria-label="{escape(name)}" style="--width: \1"', drawing, 1)
    drawing = _IDENTIFIER.sub(rf"\g<1>{identifier}-", drawing)
    return _COLOUR.sub(lambda match: f"var({CSS_VARIABLES[match[0]]}, {match[0]})", drawing)


def standalone_svg(figure: Figure) -> str:
    """Draw a figure as a file of its own, on paper, its letters as shapes.

    The same figure gives the same text on every day.
    """
    file = io.StringIO()
    settings: dict[Any, Any] = {"svg.fonttype": "path", "svg.hashsalt": "vitreous"}
    with matplotlib.rc_context(settings):
        figure.savefig(
            file, format="svg", facecolor=PAPER, metadata={"Date": None, "Creator": None}
        )
    return file.getvalue()
