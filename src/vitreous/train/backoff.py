"""Skipping batches whose loss or gradient is not finite, with a smaller rate for a while."""

from dataclasses import dataclass

_MOST_IN_A_ROW = 10
_STEPS_TO_RECOVER = 100


@dataclass
class Backoff:
    """Each skipped batch halves the learning rate; a hundred good steps double it again.

    Attributes:
        level: Halvings that are in force.
        row: Batches skipped one after the other.
        clean: Good steps since the last skip or doubling.
        skipped: Batches skipped in all.
    """

    level: int = 0
    row: int = 0
    clean: int = 0
    skipped: int = 0

    @property
    def factor(self) -> float:
        """What the learning rate is multiplied by."""
        return float(0.5**self.level)

    @property
    def exhausted(self) -> bool:
        """Whether so many batches failed in a row that the model, not a batch, is broken."""
        return self.row >= _MOST_IN_A_ROW

    def skip(self) -> None:
        """A batch was left out."""
        self.level, self.row, self.clean = self.level + 1, self.row + 1, 0
        self.skipped += 1

    def went_well(self) -> None:
        """The weights have moved."""
        self.row = 0
        self.clean += 1
        if self.clean == _STEPS_TO_RECOVER:
            self.level, self.clean = max(self.level - 1, 0), 0
