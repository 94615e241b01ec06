"""What verbs print: tables for people, JSON for machines."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def add_json_argument(parser: ArgumentParser) -> None:
    """`--json FILE|-`."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=_file,
        help="write the results as JSON to a file, or to - (stdout)",
    )


def _file(where: str) -> str:
    """Refuse a folder before the work, rather than with its results in hand."""
    if not where or Path(where).is_dir():
        raise ArgumentTypeError(f"{where!r} is no file: give one, or - for stdout")
    return where


def write_json(where: str | None, results: Any) -> bool:
    """Write results where asked.

    Returns:
        Whether stdout is taken, and nothing else shall be printed there.
    """
    if where is None:
        return False
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    if where == "-":
        sys.stdout.write(text)
        return True
    from vitreous.durable import write_text

    write_text(Path(where), text)
    return False


def print_report(report: Mapping[str, Any]) -> None:
    """The numbers of a report: overall, and class by class."""
    if report.get("multi_label"):
        _print_multilabel(report)
        return
    low, high = report["accuracy_interval"]
    rows = [
        (row["name"], *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")), row["support"])
        for row in report["classes"]
        if row["support"] or row["precision"]
    ]
    print_table(["class", "precision", "recall", "F1", "images"], rows)
    skipped = f", {report['num_skipped']} unreadable left out" if report["num_skipped"] else ""
    print(
        f"\n{report['part']}: accuracy {report['accuracy']:.2%} (95 % interval {low:.1%} to "
        f"{high:.1%}) on {report['num_images']:,} images{skipped}; "
        f"loss {report['loss']:.3f}, macro F1 {report['macro_f1']:.3f}, "
        f"calibration error {report['ece']:.3f}"
    )
    if "without" in report:
        print(_without(report))


def _print_multilabel(report: Mapping[str, Any]) -> None:
    rows = [
        (
            row["name"],
            "-" if row["average_precision"] is None else f"{row['average_precision']:.3f}",
            *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")),
            row["support"],
        )
        for row in report["classes"]
    ]
    print_table(["class", "average precision", "precision", "recall", "F1", "images"], rows)
    print(
        f"\n{report['part']}: mean average precision {report['map']:.2%} on "
        f"{report['num_images']:,} images of several labels; at a probability of "
        f"{report['threshold']:g}: macro F1 {report['macro_f1']:.3f}, micro F1 "
        f"{report['micro_f1']:.3f}, every label right {report['exact']:.1%}"
    )


def _without(report: Mapping[str, Any]) -> str:
    """Accuracy with and without the images of a list, in one line."""
    rest = report["without"]
    low, high = rest["accuracy_interval"]
    unknown = f"; {rest['num_unknown']:,} names are not among them" if rest["num_unknown"] else ""
    return (
        f"accuracy {report['accuracy']:.1%} of {report['num_images']:,}, {rest['accuracy']:.1%} "
        f"({low:.1%} to {high:.1%}) of the {rest['num_images']:,} that are not in "
        f"{rest['list']}{unknown}"
    )


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they need: the first to the left, numbers to the right."""
    texts = [list(map(str, row)) for row in (headings, *rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(headings))]
    for row in texts:
        first, *others = (
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join((first, *others)).rstrip())
