"""What a plan of trials has measured: a table of cells, each with its spread over seeds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

Place = tuple[str, str]
"""Row and column of a table; of a figure: curve, and place along its axis."""


@dataclass(frozen=True)
class Outcome:
    """What one trial has measured.

    Attributes:
        values: By column.
        seconds: That it took.
        flops: Floating-point operations of its training; 0 where it trains nothing.
        facts: Anything else that JSON can hold, for the figure or the reader.
    """

    values: Mapping[str, float]
    seconds: float = 0.0
    flops: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One entry of the table.

    Attributes:
        values: One a seed.
        seconds: Of one seed, in the mean, what it was made from included.
        flops: The same.
        facts: Of each seed, in order.
    """

    values: tuple[float, ...]
    seconds: float = 0.0
    flops: float = 0.0
    facts: tuple[Mapping[str, Any], ...] = ()

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.values)

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; 0 of one."""
        return stdev(self.values) if len(self.values) > 1 else 0.0


class Results:
    """Cells by row and column, in the order in which they were planned.

    Args:
        outcomes: Row and outcome of each trial, the seeds of a row in any order.
    """

    def __init__(self, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        gathered: dict[Place, list[tuple[float, Outcome]]] = {}
        for row, outcome in outcomes:
            for column, value in outcome.values.items():
                gathered.setdefault((row, column), []).append((value, outcome))
        self.cells = {
            place: Cell(
                values=tuple(value for value, _ in found),
                seconds=fmean(outcome.seconds for _, outcome in found),
                flops=fmean(outcome.flops for _, outcome in found),
                facts=tuple(outcome.facts for _, outcome in found),
            )
            for place, found in gathered.items()
        }

    def __getitem__(self, place: Place) -> Cell:
        return self.cells[place]

    def __contains__(self, place: Place) -> bool:
        return place in self.cells

    @property
    def rows(self) -> list[str]:
        """Names of the rows."""
        return list(dict.fromkeys(row for row, _ in self.cells))

    def row(self, name: str) -> dict[str, Cell]:
        """The cells of a row by column, in order."""
        return {column: cell for (row, column), cell in self.cells.items() if row == name}

    def curves(self) -> dict[str, list[tuple[float, float, float]]]:
        """Each row as a curve over columns that are numbers: column, mean, spread."""
        return {
            row: [(float(x), cell.mean, cell.spread) for x, cell in self.row(row).items()]
            for row in self.rows
        }
