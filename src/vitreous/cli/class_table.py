"""Tables of an experiment class by class, published values beside our own."""

from typing import TYPE_CHECKING

from vitreous.cli.output import print_table

if TYPE_CHECKING:
    from vitreous.experiments.class_table import ClassTable
    from vitreous.experiments.experiment import Experiment
    from vitreous.experiments.results import Place, Results


def print_class_tables(experiment: "Experiment", results: "Results | None") -> None:
    """Print a table for each model, with a column of ours beside each published one.

    Args:
        experiment: One with class tables; gives published values and the format of all.
        results: Ours; None prints the published values alone.
    """
    assert experiment.class_tables is not None
    for place, table in enumerate(experiment.class_tables(results)):
        if place:
            print()
        headings, *rows = class_rows(experiment, table, results)
        print_table(headings, rows)


def told(experiment: "Experiment", place: "Place", results: "Results") -> str:
    """Our value with its spread over seeds; empty where there is none."""
    if place not in results:
        return ""
    cell = results[place]
    here = experiment.format(place[1], cell.mean)
    if len(cell.values) > 1:
        here += f" ± {experiment.format(place[1], cell.spread)}"
    return here


def class_rows(
    experiment: "Experiment", table: "ClassTable", results: "Results | None"
) -> list[list[str]]:
    """The texts of a table: headings, a row for each class, then one for each value below.

    A column of published values stands behind each of ours, where any is published.
    """
    rows = [[table.title]]
    for measure in table.measures:
        rows[0] += [measure] if results is None else [measure, "published"]
    for name in table.classes:
        texts = [name]
        for measure in table.measures:
            texts += _entries(experiment, table.place(name, measure), results)
        rows.append(texts)
    for place in table.below:
        texts = [place[1], *_entries(experiment, place, results)]
        if any(texts[1:]):
            rows.append(texts + [""] * (len(rows[0]) - len(texts)))
    kept = [n for n in range(len(rows[0])) if n == 0 or any(texts[n] for texts in rows[1:])]
    return [[texts[n] for n in kept] for texts in rows]


def _entries(experiment: "Experiment", place: "Place", results: "Results | None") -> list[str]:
    """Ours, where there are results, and the published value."""
    value = experiment.published.get(place)
    published = "" if value is None else experiment.format(place[1], value)
    return [published] if results is None else [told(experiment, place, results), published]
