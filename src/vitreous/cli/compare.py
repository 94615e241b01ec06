"""Put runs side by side: overall, class by class, and their curves in one figure.

  vitreous compare runs/vit runs/resnet --out comparison.html

Runs must have been measured on the same classes.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from vitreous.cli.output import add_json_argument, print_table, write_json
from vitreous.errors import UserError


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("runs", metavar="RUN", nargs="+", help="two run folders or more")
    parser.add_argument("--out", metavar="FILE", help="write the page there, an .html file")
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Read the reports, print the table, write the page."""
    from vitreous.report.comparison import comparison_table, write_comparison
    from vitreous.train.measure import read_history

    if len(arguments.runs) < 2:
        raise UserError("one run is nothing to compare: give two or more")
    page = None if arguments.out is None else Path(arguments.out)
    if page is not None and page.exists():
        raise UserError(f"--out {page} exists: choose another")
    names = _names(arguments.runs)
    reports = {name: _report(Path(run)) for name, run in names.items()}
    histories = {name: read_history(Path(run) / "metrics.jsonl") for name, run in names.items()}
    rows = comparison_table(reports, histories)
    taken = write_json(arguments.json, rows)
    if not taken:
        _print(rows, list(names))
    if page is not None:
        write_comparison(page, reports, histories)
        print(f"the page is {page}", file=sys.stderr if taken else sys.stdout)
    return 0


def _names(runs: list[str]) -> dict[str, str]:
    """Folder names where they differ, whole paths where they do not."""
    short = [Path(run).resolve().name for run in runs]
    names = short if len(set(short)) == len(short) else runs
    if len(set(names)) < len(names):
        raise UserError("the same run twice: give different ones")
    return dict(zip(names, runs, strict=True))


def _report(run: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{run} holds no report.json: give a finished run's folder") from error
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{run}/report.json cannot be read: {error}") from error
    if report.get("multi_label"):
        raise UserError(f"{run} gives several labels an image: compare runs that give one")
    if "classes" not in report:
        raise UserError(f"{run} learnt without labels and names no classes: compare classifiers")
    return report


def _print(rows: list[dict[str, Any]], names: list[str]) -> None:
    """Precision, recall and F1 of each class, then overall; differences from the first in brackets.

    One table each, which has a column a run: several measures of several runs fit no terminal.
    """
    by_class = [row for row in rows if row["kind"] == "class"]
    for measure, title in (("precision", "precision"), ("recall", "recall"), ("f1", "F1")):
        print_table(
            [f"{title} of a class", *names],
            [
                [row["name"], *_cells(names, row[measure], row[f"{measure}_difference"])]
                for row in by_class
            ],
        )
        print()
    print_table(
        ["overall", *names],
        [
            [row["name"].replace("_", " "), *_cells(names, row["value"], row["difference"])]
            for row in rows
            if row["kind"] == "overall"
        ],
    )


def _cells(names: list[str], values: dict[str, float], differences: dict[str, float]) -> list[str]:
    return [
        (f"{values[name]:.3f}" if name in values else "-")
        + (f" ({differences[name]:+.3f})" if name in differences else "")
        for name in names
    ]
