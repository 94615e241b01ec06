"""Runs side by side: which is better, at what, and by more than chance?"""

import os
from collections.abc import Mapping
from html import escape
from typing import Any

from vitreous.errors import UserError
from vitreous.report.curves import History, compare_curves, curve, run_styles
from vitreous.report.document import (
    Html,
    Section,
    bar_cell,
    change_cell,
    figure,
    group,
    name_cell,
    number_cell,
    section,
    table,
    write_document,
)
from vitreous.report.figures import class_comparison
from vitreous.report.reading import percent, read_intervals
from vitreous.report.sections import accuracy_interval
from vitreous.report.style import shorten

Reports = Mapping[str, Mapping[str, Any]]

_OVERALL = ("accuracy", "macro_f1", "top5", "loss", "ece")
_PER_CLASS = ("f1", "precision", "recall")
# Classes in the figure: all of them, or those that changed most.
_MOST_DRAWN = 30


def comparison_table(
    reports: Reports, histories: Mapping[str, History] | None = None
) -> list[dict[str, Any]]:
    """Set runs side by side, overall and class by class.

    Args:
        reports: The dictionary of `classification_report` of each run, by the run's name. The
            first run is the one that the others are compared with.
        histories: The lines of each run's `metrics.jsonl`; without one a run has no training loss.

    Returns:
        First the overall rows, `{kind: "overall", name, value: {run: x}, difference: {run: x}}`
        for accuracy, macro F1, top 5, loss, training loss (see `training_loss`) and ECE; then a
        row for each class in the first run's order, `{kind: "class", name, support: {run: n}}` and
        for each measure of F1, precision and recall `{f1: {run: x}, f1_difference: {run: x}}`. A
        difference is the run's value less the first run's, and stands for every run but the first.
        Of runs without a training loss, value and difference are left out.

    Raises:
        UserError: There are fewer than two runs, or two of them know different classes.
    """
    if len(reports) < 2:
        raise UserError(f"a comparison needs two runs or more, and here {len(reports)} was given")
    by_name = {
        run: {row["name"]: row for row in report["classes"]} for run, report in reports.items()
    }
    first, *others = reports
    for other in others:
        _refuse_other_classes(first, by_name[first], other, by_name[other])
    rows: list[dict[str, Any]] = []
    measured = {
        measure: {run: report[measure] for run, report in reports.items()} for measure in _OVERALL
    }
    last = {run: training_loss((histories or {}).get(run, ())) for run in reports}
    measured["training_loss"] = {run: loss for run, loss in last.items() if loss is not None}
    for measure in (*_OVERALL[:4], "training_loss", *_OVERALL[4:]):
        value = measured[measure]
        if not value:
            continue
        rows.append(
            {
                "kind": "overall",
                "name": measure,
                "value": value,
                "difference": _differences(value, first),
            }
        )
    for name in by_name[first]:
        row: dict[str, Any] = {"kind": "class", "name": name}
        for measure in ("support", *_PER_CLASS):
            row[measure] = {run: by_name[run][name][measure] for run in reports}
        for measure in _PER_CLASS:
            row[f"{measure}_difference"] = _differences(row[measure], first)
        rows.append(row)
    return rows


def training_loss(history: History) -> float | None:
    """The mean loss of the training batches of a run's last epoch; None where no log has it.

    The batches are augmented, smoothed or mixed as the run's recipe says: two recipes have losses
    of different kinds.
    """
    epochs, losses = curve(history, "loss")
    return float(losses[epochs > epochs[-1] - 1].mean()) if len(losses) else None


def _differences(value: Mapping[str, float], first: str) -> dict[str, float]:
    if first not in value:
        return {}
    return {run: x - value[first] for run, x in value.items() if run != first}


def _refuse_other_classes(
    first: str, known: Mapping[str, Any], other: str, its: Mapping[str, Any]
) -> None:
    if known.keys() == its.keys():
        return
    only = [
        f"only {run} has {_few(sorted(names))}"
        for run, names in ((first, known.keys() - its.keys()), (other, its.keys() - known.keys()))
        if names
    ]
    raise UserError(
        f"{first} and {other} know different classes ({'; '.join(only)}): "
        "compare runs that were trained on the same classes"
    )


def _few(names: list[str], limit: int = 4) -> str:
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


def write_comparison(
    path: str | os.PathLike[str], reports: Reports, histories: Mapping[str, History]
) -> None:
    """Write the page that compares runs: one file that needs no network.

    Args:
        path: Where; a page that is there is replaced once the new one is complete.
        reports: As in `comparison_table`.
        histories: The lines of each run's `metrics.jsonl`, as far as they are known.

    Raises:
        UserError: As `comparison_table`, or the file cannot be written; no part of it is left
            behind.
    """
    rows = comparison_table(reports, histories)
    class_rows = [row for row in rows if row["kind"] == "class"]
    title = " and ".join(reports) if len(reports) == 2 else f"{len(reports)} runs"
    header = (
        '<header>\n<p class="kind">Comparison</p>\n'
        f"<h1>{escape(title)}</h1>\n"
        f'<p class="reading">{escape(read_intervals(reports))}</p>\n</header>'
    )
    parts = (
        _overview(reports, histories),
        _curves(reports, histories),
        _classes(reports, class_rows),
    )
    write_document(path, f"{title} · vitreous", [header, *(part.text for part in parts)])


def _overview(reports: Reports, histories: Mapping[str, History]) -> Section:
    cells = []
    for (run, report), style in zip(reports.items(), run_styles(), strict=False):
        low, high = report["accuracy_interval"]
        about = [str(report[key]) for key in ("model", "data") if report.get(key)]
        swatch = f'<i class="swatch" style="background: {style["color"]}"></i>'
        cells.append(
            (
                f'<th scope="row">{swatch}{escape(run)}'
                f"<small>{escape(' · '.join(about))}</small></th>",
                f'<td data-value="{report["accuracy"]!r}"><b>{percent(report["accuracy"])}</b>'
                f"<small>{100 * low:.1f} to {percent(high)}</small>"
                f"{accuracy_interval(report)}</td>",
                number_cell(report["macro_f1"], f"{report['macro_f1']:.3f}"),
                number_cell(report["loss"], f"{report['loss']:.3f}"),
                _loss(training_loss(histories.get(run, ()))),
                number_cell(report["ece"], percent(report["ece"])),
                _parameters(report),
                number_cell(report["num_images"], f"{report['num_images']:,}"),
            )
        )
    headings = (
        "Run",
        "Accuracy",
        "Macro F1",
        "Loss",
        "Training loss",
        "ECE",
        "Parameters",
        "Images",
    )
    return section(
        "runs",
        "Runs",
        "Accuracy with its 95\u202f% interval, on a line from 0 to 100\u202f%. Training loss is "
        "the mean over the last epoch's batches, as they were augmented.",
        table(headings, cells, "Measures of each run"),
    )


def _loss(loss: float | None) -> Html:
    return number_cell(-1, "–") if loss is None else number_cell(loss, f"{loss:.3f}")


def _parameters(report: Mapping[str, Any]) -> Html:
    count = report.get("parameters")
    return number_cell(-1, "–") if count is None else number_cell(count, f"{count:,}")


def _curves(reports: Reports, histories: Mapping[str, History]) -> Section:
    drawings = compare_curves({run: histories.get(run, ()) for run in reports})
    figures = (figure(name, drawing) for name, drawing in drawings.items())
    return section(
        "curves",
        "Curves",
        "A dot marks each run's best epoch. Training batches are augmented, and smoothed here.",
        group("pair", figures),
    )


def _classes(reports: Reports, rows: list[dict[str, Any]]) -> Section:
    first, *others = reports
    last = others[-1]
    drawn = sorted(rows, key=lambda row: -row["f1_difference"][last])
    lead = f"Sorted by what {last} gains on {first}."
    if len(drawn) > _MOST_DRAWN:
        half = _MOST_DRAWN // 2
        drawn = drawn[:half] + drawn[-half:]
        lead += f" The {half} largest gains and the {half} largest losses are drawn."
    drawings = [
        figure(f"{measure} by class", class_comparison(drawn, list(reports), measure))
        for measure in _PER_CLASS
    ]
    short = {run: shorten(run, 20) for run in reports}
    headings = ["Class", f"F1 {short[first]}"]
    for run in others:
        headings += [f"F1 {short[run]}", "Change"]
    headings += [
        f"{measure} {short[run]}" for measure in ("Precision", "Recall") for run in reports
    ]
    headings.append("Images")
    cells = []
    for row in rows:
        line = [name_cell(row["name"]), bar_cell(row["f1"][first])]
        for run in others:
            line += [bar_cell(row["f1"][run]), change_cell(row["f1_difference"][run])]
        line += [
            number_cell(row[measure][run], f"{row[measure][run]:.3f}")
            for measure in ("precision", "recall")
            for run in reports
        ]
        line.append(number_cell(row["support"][first], f"{row['support'][first]:,}"))
        cells.append(line)
    return section(
        "classes",
        "Classes",
        lead,
        group("pair led", drawings),
        table(headings, cells, "Measures of each class in each run"),
    )
