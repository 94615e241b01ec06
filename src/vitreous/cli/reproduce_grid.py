"""`reproduce` for tables that are read across: the paper's grid, and own checkpoints in it."""

import textwrap
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

from vitreous.cli.grid_view import Own, grid_lines, terminal_width
from vitreous.cli.output import print_table, write_json

if TYPE_CHECKING:
    from vitreous.experiments.experiment import Experiment
    from vitreous.experiments.paper_grid import PaperGrid
    from vitreous.experiments.reproduce import Reproduction
    from vitreous.experiments.results import Cell

# Lines of the cost that are printed under a table which has none of its own, and their keys.
_COSTS = {"TPUv3-core-days": "core_days", "exaFLOPs": "exaflops", "device-hours": "device_hours"}


def show_published(experiment: "Experiment", json_file: str | None, *, count: bool) -> int:
    """Print the published table, and measure nothing.

    Args:
        experiment: One with a grid.
        json_file: Where JSON was asked for.
        count: Count the operations of the runs that the experiment names; else a line says how to
            measure one's own checkpoints.
    """
    from vitreous.experiments.reproduce import published_dict

    assert experiment.grid is not None
    told = published_dict(experiment)
    if count and experiment.counted is not None:
        told["counted"] = _count(experiment)
    if write_json(json_file, told):
        return 0
    _print_wrapped(f"{experiment.title} ({experiment.source})")
    _print_wrapped(f"published: {experiment.published_as}")
    print()
    print("\n".join(grid_lines(experiment.grid)))
    if "counted" in told:
        _print_counted(told["counted"])
    if not count:
        asked = f"vitreous reproduce {experiment.name} --weights FOLDER --data FOLDER"
        print(f"\nto measure yours: {asked}")
    return 0


def print_grid(done: "Reproduction") -> None:
    """Print the grid with each measured checkpoint beside its published twin, and its cost."""
    from vitreous.experiments.pretraining_cost import rule_in_words

    grid = done.experiment.grid
    assert grid is not None
    own = [
        Own(
            name=row,
            texts=_accuracies(done.results.row(row), grid) | _cost(done.costs.get(row)),
            twin=done.twins.get(row),
        )
        for row in done.results.rows
    ]
    more = {line: line for line in _COSTS if line not in grid.costs} if done.costs else {}
    print("\n".join(grid_lines(grid, own, more)))
    print()
    for row, twin in done.twins.items():
        print(f"{row} stands beside {twin}, the nearest row of its architecture")
    for row, cost in done.costs.items():
        if cost["begun_from"]:
            print(f"{row} began from {cost['begun_from']}, whose own cost is not known here")
    if done.costs:
        _print_wrapped(f"cost here, of training: {rule_in_words()}")
    if unknown := [row for row in done.results.rows if row not in done.costs]:
        print(f"cost of {', '.join(unknown)}: not known; a run folder of vitreous train tells it")


def _accuracies(cells: Mapping[str, "Cell"], grid: "PaperGrid") -> dict[str, str]:
    """Own values in the paper's form: per cent, with the deviation over several seeds."""
    texts = {}
    for column, cell in cells.items():
        texts[column] = f"{100 * cell.mean:.{grid.digits}f}"
        if len(cell.values) > 1:
            texts[column] += f" ± {100 * cell.spread:.{grid.digits}f}"
    parts = [column for column in grid.accuracies if column != grid.mean]
    if grid.mean and all(column in cells for column in parts):
        texts[grid.mean] = f"{100 * fmean(cells[one].mean for one in parts):.{grid.digits}f}"
    return texts


def _cost(cost: Mapping[str, Any] | None) -> dict[str, str]:
    return {} if cost is None else {line: in_thousands(cost[key]) for line, key in _COSTS.items()}


def in_thousands(value: float) -> str:
    """A cost in the paper's form: 2500 as `2.5k`, 680 as `0.68k`; small ones as `3.1e-06`."""
    if value < 100:
        return f"{value:.2g}"
    return f"{value / 1000:.2g}k" if value < 1000 else f"{value / 1000:,.1f}k"


def _count(experiment: "Experiment") -> list[dict[str, Any]]:
    """Operations and core-days of the runs that a grid has the cost of."""
    from vitreous.experiments.cluster import operations
    from vitreous.experiments.pretraining_cost import core_days

    assert experiment.counted is not None
    assert experiment.grid is not None
    published = {
        entry["row"]: entry["value"]
        for entry in experiment.grid.entries()
        if entry["column"] == "TPUv3-core-days"
    }
    counted = []
    for row, run in experiment.counted().items():
        flops = operations(run)
        counted.append(
            {
                "row": row,
                "epochs": run.config.epochs,
                "exaflops": flops / 1e18,
                "core_days": core_days(flops),
                "published_core_days": published[row],
            }
        )
    return counted


def _print_counted(counted: list[dict[str, Any]]) -> None:
    from vitreous.experiments.pretraining_cost import rule_in_words

    print("\ncounted here from the recipes of pretraining; nothing was trained")
    print_table(
        ["", "epochs", "exaFLOPs", "core-days by these", "published"],
        [
            [
                one["row"],
                f"{one['epochs']:g}",
                f"{one['exaflops']:,.0f}",
                in_thousands(one["core_days"]),
                in_thousands(one["published_core_days"]),
            ]
            for one in counted
        ],
    )
    _print_wrapped(rule_in_words())


def _print_wrapped(text: str) -> None:
    print(textwrap.fill(text, terminal_width(), break_on_hyphens=False))
