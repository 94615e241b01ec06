"""Each row of a comparison at the learning rate that suits it, as validation tells."""

from vitreous.experiments.results import Cell, Results


def own_rate(results: Results, row: str) -> str:
    """The column of the best validation, where a row's columns are learning rates.

    Args:
        results: Of trials that validated; without, test accuracy stands in.
        row: Which.
    """
    cells = results.row(row)
    return max(cells, key=lambda column: _validated(cells[column]))


def _validated(cell: Cell) -> float:
    """Mean over seeds of the last accuracy on the validation part."""
    last = [facts["curve"][-1][1] for facts in cell.facts if facts.get("curve")]
    return sum(last) / len(last) if last else cell.mean
