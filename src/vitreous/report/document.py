"""The frame of a page: one HTML file that needs no other."""

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from vitreous.durable import write_text
from vitreous.report.svg import figure_svg

# Escaped text; a name of its own so that a signature says which strings are already safe.
Html = str

# The frame forbids itself everything that is not in the file.
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{css}</style>
</head>
<body>
<main>
{body}
</main>
<script>
{javascript}</script>
</body>
</html>
"""


def write_document(path: str | os.PathLike[str], title: str, body: Iterable[Html]) -> None:
    """Write a page whole or not at all.

    Args:
        path: The HTML file; what was there is replaced when the page is complete.
        title: What the browser's tab says.
        body: The page's parts.

    Raises:
        UserError: The file cannot be written. No part of it is left behind.
    """
    room = files("vitreous.report")
    page = _FRAME.format(
        title=escape(title),
        css=(room / "page.css").read_text("utf-8"),
        javascript=(room / "page.js").read_text("utf-8"),
        body="\n".join(part for part in body if part),
    )
    # File names may hold bytes that are no text; they must not cost the page.
    write_text(Path(path), page)


class Section(NamedTuple):
    """A part of a page that one can be led to; its text is empty where it has nothing to show."""

    identifier: str
    title: str
    text: Html


def section(identifier: str, title: str, lead: str, *content: Html) -> Section:
    """Write a section under a title, with a sentence that leads into it."""
    inner = "\n".join(part for part in content if part)
    if not inner:
        return Section(identifier, title, "")
    introduction = f'<p class="lead">{escape(lead)}</p>\n' if lead else ""
    text = f'<section id="{identifier}">\n<h2>{title}</h2>\n{introduction}{inner}\n</section>'
    return Section(identifier, title, text)


def contents(sections: Iterable[Section]) -> Html:
    """Link to the sections that show something."""
    links = (f'<a href="#{part.identifier}">{part.title}</a>' for part in sections if part.text)
    return f"<nav>{' '.join(links)}</nav>"


def group(kind: str, parts: Iterable[Html], tag: str = "div") -> Html:
    """Wrap parts in an element of a class of `page.css`; none where there are no parts."""
    inner = "\n".join(part for part in parts if part)
    return f'<{tag} class="{kind}">\n{inner}\n</{tag}>' if inner else ""


def figure(name: str, drawing: Figure, caption: str = "") -> Html:
    """Embed a figure; it scrolls inside its frame where the page is too narrow for it."""
    note = f"\n<figcaption>{escape(caption)}</figcaption>" if caption else ""
    svg = figure_svg(drawing, name)
    return f'<figure class="drawing"><div class="scroll">{svg}</div>{note}</figure>'


def facts(rows: Mapping[str, str]) -> Html:
    """Write labels and their values; none where there are no rows."""
    pairs = (
        f"<div><dt>{escape(label)}</dt><dd>{escape(str(text))}</dd></div>"
        for label, text in rows.items()
    )
    return group("facts", pairs, tag="dl")


def table(headings: Sequence[str], rows: Iterable[Sequence[Html]], label: str) -> Html:
    """Write a table that its headings sort, and a field that filters it when it is long.

    Args:
        headings: One a column; the first column holds names, the others numbers.
        rows: Cells made by `name_cell`, `number_cell`, `bar_cell` or `change_cell`.
        label: What the table shows, for people who hear the page.
    """
    rows = list(rows)
    head = "".join(
        f'<th scope="col"><button type="button">{escape(heading)}</button></th>'
        for heading in headings
    )
    body = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    search = (
        '<label class="filter">Find <input type="search" autocomplete="off"></label>\n'
        if len(rows) > 24
        else ""
    )
    return (
        f'{search}<div class="scroll tall" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="sortable">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def name_cell(name: str) -> Html:
    """A row's name."""
    return f'<th scope="row">{escape(name)}</th>'


def number_cell(value: float | int, text: str) -> Html:
    """A number, sorted by its value and shown as its text."""
    return f'<td data-value="{value!r}">{escape(text)}</td>'


def bar_cell(share: float | int) -> Html:
    """A share in [0, 1] with a bar of its length."""
    return (
        f'<td class="bar" data-value="{share!r}" style="--share: {share:.4f}">'
        f"<span>{share:.3f}</span></td>"
    )


def change_cell(difference: float | int) -> Html:
    """A difference of shares, with its sign and a colour."""
    kind = "gain" if difference > 0 else "loss" if difference < 0 else "same"
    text = f"{difference:+.3f}".replace("-", "−") if difference else "0"
    return f'<td class="{kind}" data-value="{difference!r}">{text}</td>'
