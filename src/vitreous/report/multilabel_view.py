"""The page of a run whose images may have several labels."""

import os
from collections.abc import Mapping
from html import escape
from typing import Any

from vitreous.report import sections
from vitreous.report.curves import History
from vitreous.report.document import (
    Html,
    Section,
    bar_cell,
    contents,
    group,
    name_cell,
    number_cell,
    section,
    table,
    write_document,
)
from vitreous.report.reading import percent


def write_multilabel_report(
    path: str | os.PathLike[str], report: Mapping[str, Any], history: History = ()
) -> None:
    """Write `report.html`: measures of each class, the training's curves and the facts.

    Args:
        path: Where; a page that is there is replaced once the new one is complete.
        report: The dictionary of `multilabel_report`, and what `write_report` takes beside one.
        history: The lines of `metrics.jsonl`; empty where the training is not known.

    Raises:
        UserError: The file cannot be written. No part of it is left behind.
    """
    parts = [sections.training(history), _classes(report), sections.provenance(report)]
    title = str(report.get("run") or report.get("model") or "Evaluation")
    body = [_header(report, title), contents(parts), *(part.text for part in parts)]
    write_document(path, f"{title} · vitreous", body)


def _header(report: Mapping[str, Any], title: str) -> Html:
    images = f"{report['num_images']:,} {report.get('part', '')} images".replace("  ", " ")
    where = f"{images} of {report['data']}" if report.get("data") else images
    reading = (
        "An image may have several labels or none. A class is said to be there from a probability "
        f"of {percent(report['threshold'], 0)}; mean average precision needs no such line."
    )
    tiles = (
        ("Mean average precision", percent(report["map"]), "mean over the classes"),
        ("Macro F1", f"{report['macro_f1']:.3f}", "mean over the classes"),
        ("Micro F1", f"{report['micro_f1']:.3f}", "over all yes and no"),
        ("All right", percent(report["exact"]), "images with every label right"),
        ("Loss", f"{report['loss']:.3f}", "cross-entropies, summed, nats"),
    )
    numbers = group(
        "numbers",
        (
            f"<div><dt>{label}</dt><dd>{value}<small>{note}</small></dd></div>"
            for label, value, note in tiles
        ),
        tag="dl",
    )
    return (
        '<header>\n<p class="kind">Evaluation</p>\n'
        f'<h1>{escape(title)}</h1>\n<p class="about">{escape(where)}</p>\n'
        f'<p class="reading">{escape(reading)}</p>\n{numbers}\n</header>'
    )


def _classes(report: Mapping[str, Any]) -> Section:
    rows = (
        (
            name_cell(row["name"]),
            *(
                bar_cell(row[measure] or 0.0)
                for measure in ("average_precision", "precision", "recall", "f1")
            ),
            number_cell(row["support"], f"{row['support']:,}"),
        )
        for row in report["classes"]
    )
    headings = ("Class", "Average precision", "Precision", "Recall", "F1", "Images")
    return section(
        "classes",
        "Classes",
        "Average precision: how far up the images with the class are, when all are sorted by its "
        "probability. Precision, recall and F1 are of those said to have it.",
        table(headings, rows, "Measures of each class"),
    )
