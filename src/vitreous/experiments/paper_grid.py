"""A table as the paper prints it: models across, data sets down, every number in its own form."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitreous.experiments.results import Place

ABSENT = "–"
"""Stands where the paper has no number."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Models that stand side by side.

    Attributes:
        title: Printed over them; empty where the whole table is one block.
        headings: The lines over each model's column, by the row of the experiment.
    """

    title: str = ""
    headings: Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class PaperGrid:
    """A published table.

    Attributes:
        blocks: The models, in the order of the paper.
        lines: What stands before each line, by the column of the experiment.
        costs: Those of them that are no accuracies but epochs or the cost of pretraining.
        printed: Each number as the paper prints it (`88.55 ± 0.04`, `2.5k`), by row and column.
        digits: Behind the point of an accuracy in per cent.
        mean: The line that is the mean of all other accuracies; empty where there is none.
        notes: Sentences to print under the table.
    """

    blocks: Sequence[Block]
    lines: Mapping[str, str]
    costs: Collection[str] = ()
    printed: Mapping[Place, str]
    digits: int = 2
    mean: str = ""
    notes: Sequence[str] = ()

    @property
    def rows(self) -> list[str]:
        """The models of all blocks."""
        return [row for block in self.blocks for row in block.headings]

    @property
    def accuracies(self) -> list[str]:
        """The lines that are accuracies."""
        return [line for line in self.lines if line not in self.costs]

    def shares(self) -> dict[Place, float]:
        """The accuracies that the paper has, as shares, without the line of means."""
        return {
            (row, column): value / 100
            for row in self.rows
            for column in self.accuracies
            if column != self.mean
            and (value := number(self.printed.get((row, column), ABSENT))) is not None
        }

    def entries(self) -> list[dict[str, Any]]:
        """Every number for JSON, accuracies and their deviations as shares.

        Returns:
            Dictionaries of `row`, `column`, `printed`, `value` and, where the paper has one,
            `deviation`; in the order of the table.
        """
        found = []
        for row in self.rows:
            for column in self.lines:
                text = self.printed.get((row, column), ABSENT)
                value, spread = number(text), deviation(text)
                if value is None:
                    continue
                unit = 1 if column in self.costs else 100
                entry = {"row": row, "column": column, "printed": text, "value": value / unit}
                found.append(entry if spread is None else entry | {"deviation": spread / unit})
        return found


def number(text: str) -> float | None:
    """Read a number of the paper.

    Args:
        text: Such as `88.55 ± 0.04`, `2.5k`, `88.4 / 88.5*` (of which the first counts) or `–`.

    Returns:
        88.55, 2500, 88.4; None where there is none.
    """
    if text == ABSENT:
        return None
    first = text.split(" ")[0].replace(",", "")
    return round(float(first[:-1]) * 1000, 6) if first.endswith("k") else float(first)


def deviation(text: str) -> float | None:
    """Read the standard deviation behind `±`; None where none is printed."""
    _, sign, spread = text.partition(" ± ")
    return float(spread) if sign else None
