"""The models that are looked into: the user's checkpoints, or a small one that is trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.data.sample import Dataset, Part
from vitreous.data.split import Subset
from vitreous.errors import UserError
from vitreous.experiments.checkpoints import checkpoints, digest_of, refused, try_load
from vitreous.experiments.collection import KNOWN, first_of_each_class, sampled_fingerprint
from vitreous.experiments.experiment import Setting
from vitreous.experiments.results import Outcome
from vitreous.experiments.small import small_vit, training
from vitreous.experiments.training import TrainingTrial
from vitreous.experiments.trial import Trial
from vitreous.model.classifier import Classifier

Look = Callable[[Classifier, Part, int], Outcome]
"""Measures a model on some images of a part, of which the number is given; trains nothing."""

_SMALL = {"": {}, "hybrid": {"stem": (), "stem_width": 32}}


@dataclass(frozen=True, kw_only=True, eq=False)
class LookTrial(Trial):
    """Looks into one model.

    Attributes:
        row: The model.
        subject: A checkpoint, or the trial that trains it.
        what: Names the measurement.
        look: Makes it.
        part: Images to look at.
        images: How many.
        shown: The title of their set, kept among the facts.
    """

    subject: Path | TrainingTrial
    what: str
    look: Look
    part: Part
    images: int
    shown: str

    @property
    def needs(self) -> Sequence[Trial]:
        """The training, where there is one."""
        return () if isinstance(self.subject, Path) else (self.subject,)

    @cached_property
    def key(self) -> dict[str, Any]:
        """The weights, the images, and what is asked."""
        if isinstance(self.subject, Path):
            subject = digest_of(self.subject)
        else:
            subject = self.subject.digest
        return {
            "kind": self.what,
            "subject": subject,
            "part": sampled_fingerprint({"test": self.part}),
            "images": self.images,
        }

    def check(self) -> None:
        """Load a checkpoint of the user's, so that none is refused when others are done.

        Raises:
            UserError: It cannot be read, has no attention, or takes other images; names the file.
        """
        from vitreous.data.loader import check_channels
        from vitreous.model.vit import VisionTransformer
        from vitreous.weights.passport import passport_of

        if not isinstance(self.subject, Path):
            return
        model = try_load(self.subject)
        if not isinstance(model, VisionTransformer):
            raise UserError(
                f"{self.subject} is a {model.config.name}, which has no attention: take it out of "
                "--weights"
            )
        try:
            check_channels(self.part.read(0).shape[2], passport_of(model).preprocessing)
        except UserError as error:
            raise refused(self.subject, error) from error

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Load and look."""
        from vitreous.weights.load import load

        if isinstance(self.subject, Path):
            model = load(self.subject)
        else:
            model = load(finished(self.subject) / "run")
        outcome = self.look(model.eval(), self.part, self.images)
        return replace(outcome, facts={**outcome.facts, "images of": self.shown})


def looks(
    setting: Setting, what: str, look: Look, *, images: int, small: Sequence[str] = ("",)
) -> list[Trial]:
    """One trial for each of the user's checkpoints; without any, for small models trained here.

    Args:
        setting: Weights and data.
        what: Names the measurement.
        look: Makes it.
        images: To look at, at most; spread over the classes.
        small: Which small models stand in: the plain one, or `hybrid`.

    Raises:
        UserError: The weights or the data are not there.
    """
    subjects: Mapping[str, Path | TrainingTrial]
    if setting.weights is not None:
        name, subjects = _photographs(setting), checkpoints(setting.weights)
    else:
        name = "cifar10"
        subjects = {f"small {kind or 'ViT'}": small_subject(setting, kind) for kind in small}
    part = chosen(setting.data.open(name), images)
    return [
        LookTrial(
            row=row,
            subject=subject,
            what=what,
            look=look,
            part=part,
            images=images,
            shown=KNOWN[name].title,
        )
        for row, subject in subjects.items()
    ]


def small_subject(setting: Setting, kind: str = "") -> TrainingTrial:
    """A ViT of 6 blocks trained on CIFAR-10, once for all experiments that look inside."""
    dataset = first_of_each_class(setting.data.pixels("cifar10", 32), 10_000, 0)
    model = small_vit(dataset, 4, 64, 6, **_SMALL[kind])
    return TrainingTrial(
        row="", config=training(dataset, model, images_seen=80_000), dataset=dataset
    )


def drawn_of(rows: Sequence[str], most: int) -> str:
    """What a figure's title adds where not all models are drawn; empty where they are.

    Args:
        rows: The models, of which the first are drawn.
        most: How many have room.
    """
    if len(rows) <= most:
        return ""
    return f", the first {f'{most} ' if most > 1 else ''}of {len(rows)} checkpoints"


def chosen(dataset: Dataset, images: int) -> Subset:
    """Test images, classes by turns."""
    from vitreous.report.assemble import spread

    part = dataset.parts["test"]
    return Subset([part], np.asarray(spread(part.labels, images), np.int64))


def _photographs(setting: Setting) -> str:
    """The name in `KNOWN` of the set of flowers, or else of CIFAR-10."""
    try:
        setting.data.find("flowers")
    except UserError as absent:
        try:
            setting.data.find("cifar10")
        except UserError:
            raise absent from None
        return "cifar10"
    return "flowers"
