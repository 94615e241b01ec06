from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitreous.data.open import open_dataset
from vitreous.data.sample import Dataset
from vitreous.data.sources.pixels import PixelPart
from vitreous.experiments.results import Outcome
from vitreous.experiments.trial import Trial


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn(Trial):
    """A trial whose value is drawn around a mean; it counts its runs in its folder."""

    mean: float = 0.5
    column: str = "accuracy"
    before: tuple[Trial, ...] = ()

    @property
    def needs(self):
        return self.before

    @property
    def flops(self) -> float:
        return 10.0

    @property
    def key(self) -> dict[str, Any]:
        return {
            "mean": self.mean,
            "column": self.column,
            "before": [trial.digest for trial in self.before],
        }

    def run(self, folder: Path, finished) -> Outcome:
        assert all((finished(trial) / "outcome.json").is_file() for trial in self.before)
        runs = folder / "runs"
        runs.write_text(runs.read_text() + "1" if runs.exists() else "1")
        value = self.mean + np.random.default_rng(self.seed).normal(0, 0.01)
        return Outcome({self.column: value}, seconds=2.0, flops=self.flops)


@pytest.fixture
def drawn() -> type[Drawn]:
    return Drawn


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """The embedded digits, in memory, fewer of them."""
    digits = open_dataset("digits")
    parts = {}
    for name, count in (("train", 60), ("test", 40)):
        part = digits.parts[name]
        pixels = np.stack([part.read(index) for index in range(count)])
        parts[name] = PixelPart(part.names[:count], part.labels[:count], lambda p=pixels: p)
    return Dataset(
        address="digits",
        class_names=digits.class_names,
        parts=parts,
        channels=1,
        image_size=(8, 8),
    )
