"""The unit of work: one measurement that is made once, and remembered by what decides it."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vitreous import __version__
from vitreous.experiments.results import Outcome


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial(ABC):
    """A measurement that fills a row of the table, or some cells of it, for one seed.

    Attributes:
        row: Where its values stand; empty for what only others are made from.
        seed: Of everything that is drawn.
    """

    row: str
    seed: int = 0

    @property
    def needs(self) -> Sequence["Trial"]:
        """Trials that must be finished before, such as the pretraining of what is fine-tuned."""
        return ()

    @property
    def flops(self) -> float:
        """Operations of its training, told before it is run; 0 where it trains nothing."""
        return 0.0

    @property
    @abstractmethod
    def key(self) -> dict[str, Any]:
        """All that decides the result, as plain values: no paths, nothing of the machine."""

    @cached_property
    def digest(self) -> str:
        """The name of the result in the cache: SHA-256 of the key and of the package's version."""
        whole = {"version": __version__, "seed": self.seed, "key": self.key}
        text = json.dumps(whole, sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def check(self) -> None:  # noqa: B027 - most trials can be run anywhere
        """Refuse, before hours are spent, what cannot be run here.

        Raises:
            UserError: Says what it would need.
        """

    @abstractmethod
    def run(self, folder: Path, finished: Callable[["Trial"], Path]) -> Outcome:
        """Measure, and say nothing.

        Args:
            folder: Its own, kept between runs: a stopped trial finds there what it has done.
            finished: Gives the folder of a trial that this one needs.

        Raises:
            StoppedError: It was asked to stop, and goes on from there when it is run again.
        """
