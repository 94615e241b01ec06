"""Accuracies that recipes reached where they were run: what a dry run can promise."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vitreous.train.config import TrainConfig

_SAME_LENGTH = 0.02  # epochs may differ by so much, relatively, and be the same run


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A recipe's result on one data set.

    Attributes:
        recipe: Its name.
        data: The data set, for people.
        images: Training images, those that validate and were split off among them.
        classes: K.
        model: Name of the model.
        width: Of its tokens, D.
        depth: Its blocks, L.
        epochs: Times that each training image was seen.
        batch_size: Images a step.
        learning_rate: The peak.
        lowest: Accuracy of the worst run, a share.
        highest: Accuracy of the best run.
        measured_on: The images that were named.
        minutes: Wall time.
        machine: Where.
        commits: Of the code that ran.
        source: The file of this repository with machine, versions, seeds and commands.
    """

    recipe: str
    data: str
    images: int
    classes: int
    model: str
    width: int
    depth: int
    epochs: float
    batch_size: int
    learning_rate: float
    lowest: float
    highest: float
    measured_on: str
    minutes: float
    machine: str
    commits: tuple[str, ...]
    source: str

    def differences(self, config: TrainConfig) -> list[str]:
        """The settings in which a run departs from this one, in words; empty of the same run.

        Objective, augmentation and what else a recipe fixes count as the recipe.
        """
        model = config.model
        epochs = config.epochs or 0.0
        same_length = abs(epochs - self.epochs) <= _SAME_LENGTH * self.epochs
        settings: Mapping[str, tuple[Any, Any]] = {
            "model": (model.name, self.model),
            "width": (getattr(model, "width", None), self.width),
            "blocks": (getattr(model, "depth", None), self.depth),
            "epochs": (self.epochs if same_length else round(epochs, 2), self.epochs),
            "images a step": (config.batch_size, self.batch_size),
            "learning rate": (config.optimizer.learning_rate, self.learning_rate),
            "weights": (config.weights or "random", "random"),
            "moved": (config.tuning.train, "all"),
        }
        return [
            f"{name} {_plain(own)} in place of {_plain(there)}"
            for name, (own, there) in settings.items()
            if own != there
        ]

    @property
    def reached(self) -> str:
        """The result in words."""
        low, high = f"{100 * self.lowest:.1f}", f"{100 * self.highest:.1f}"
        values = low if low == high else f"{low} to {high}"
        time = f"{self.minutes:g} min" if self.minutes >= 1 else f"{60 * self.minutes:.0f} s"
        return f"{values} % of {self.measured_on} in {time} on {self.machine}"


MEASURED = (
    Measured(
        recipe="scratch",
        data="digits",
        images=1437,
        classes=10,
        model="ViT-glyph",
        width=96,
        depth=4,
        epochs=50,
        batch_size=64,
        learning_rate=2e-3,
        lowest=0.986,
        highest=0.997,
        measured_on="360 test images",
        minutes=43 / 60,
        machine="2 CPU cores",
        commits=("1226539", "375ce69"),
        source="benchmarks/training.md",
    ),
    Measured(
        recipe="scratch",
        data="five flowers",
        images=3670,
        classes=5,
        model="ViT-photo",
        width=128,
        depth=8,
        epochs=65,
        batch_size=64,
        learning_rate=2e-3,
        lowest=0.782,
        highest=0.797,
        measured_on="735 validation images",
        minutes=12,
        machine="2 CPU cores",
        commits=("a9d6399", "65d9f85", "0d89369"),
        source="benchmarks/training.md",
    ),
)
"""Every result of a recipe that is written down, by benchmarks."""


@dataclass(frozen=True)
class Expectation:
    """The accuracy that a run may be expected to reach, by what was measured.

    Attributes:
        measured: The nearest measured run of the recipe in the number of images; None where the
            recipe was never measured.
        differences: In what the run departs from it; empty where it is the same run.
    """

    measured: Measured | None
    differences: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For people, in one line."""
        found = self.measured
        if found is None:
            return "not known: none was measured of this recipe"
        if not self.differences:
            return f"{found.reached}, as measured on {found.data} ({found.source})"
        return (
            f"not measured for this run; {found.data}, {found.images:,} images: {found.reached} "
            f"({found.source}); here {', '.join(self.differences)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def expect(config: TrainConfig, images: int, classes: int) -> Expectation:
    """Look a run up among the measured ones.

    Args:
        config: Of the run, resolved.
        images: Training images, those that validate and were split off among them.
        classes: K; data are taken for a measured set by both numbers.
    """
    found = [one for one in MEASURED if one.recipe == config.recipe]
    if not found or not config.objective.supervised:
        return Expectation(None)
    nearest = min(found, key=lambda one: abs(images - one.images))
    differences = []
    if (images, classes) != (nearest.images, nearest.classes):
        differences.append(f"{images:,} images of {classes} classes")
    return Expectation(nearest, (*differences, *nearest.differences(config)))


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
