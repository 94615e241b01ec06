"""What was found out about a model, as it leaves the house: a page, figures and numbers."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from vitreous.durable import write_durably, write_text
from vitreous.report.document import Html, Section, contents, facts, figure, section, write_document
from vitreous.report.style import PAPER, STYLE

_DOTS_PER_INCH = 200


class Findings:
    """Gathers sections, figures and numbers, then writes them all.

    Attributes:
        about: Facts under the title, in a few words each.
        reading: What the numbers say, sentence by sentence.
        sections: Of the page, in order.
        numbers: For `explain.json`.
        tables: For one CSV file each: rows of equal keys, by the file's name.
        facts: For the end of the page.
    """

    def __init__(self, title: str, about: Sequence[str]) -> None:
        self.title = title
        self.about = list(about)
        self.reading: list[str] = []
        self.sections: list[Section] = []
        self.numbers: dict[str, Any] = {}
        self.tables: dict[str, Sequence[Mapping[str, Any]]] = {}
        self.facts: dict[str, str] = {}
        self._figures: dict[str, Figure] = {}

    def draw(self, name: str, drawing: Figure, caption: str = "") -> Html:
        """Keep a figure for its files, and give its place on the page."""
        self._figures[name] = drawing
        return figure(name.replace("_", " "), drawing, caption)

    def keep(self, name: str, drawing: Figure) -> None:
        """Keep a figure for its files alone."""
        self._figures[name] = drawing

    def write(self, folder: Path) -> list[str]:
        """Write everything into a folder.

        Returns:
            Names of the files; the page, which is written last, comes first.

        Raises:
            UserError: The folder cannot be written.
        """
        names = []
        for name, drawing in self._figures.items():
            for kind in ("png", "svg"):
                names.append(f"{name}.{kind}")
                write_durably(folder / names[-1], partial(_save, drawing=drawing, kind=kind))
        for name, rows in self.tables.items():
            names.append(f"{name}.csv")
            write_text(folder / names[-1], _as_csv(rows))
        write_text(folder / "explain.json", json.dumps(self.numbers, indent=1) + "\n")
        header = (
            '<header>\n<p class="kind">Explanation</p>\n'
            f"<h1>{escape(self.title)}</h1>\n"
            f'<p class="about">{escape(" · ".join(self.about))}</p>\n'
            f'<p class="reading">{escape(" ".join(self.reading))}</p>\n</header>'
        )
        parts = [*self.sections, section("facts", "Facts", "", facts(self.facts))]
        write_document(
            folder / "explain.html",
            f"{self.title} · vitreous",
            [header, contents(parts), *(part.text for part in parts)],
        )
        return ["explain.html", "explain.json", *names]


def _save(path: Path, drawing: Figure, kind: str) -> None:
    settings: dict[Any, Any] = {**STYLE, "svg.hashsalt": path.name, "savefig.facecolor": PAPER}
    metadata = {"Date": None, "Creator": None} if kind == "svg" else None
    with rc_context(settings):
        drawing.savefig(path, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    )
    return file.getvalue()
