"""What a classifier's training leaves to be read: the report of each class, and the loss curves."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from vitreous.experiments.results import Outcome
from vitreous.experiments.training import AfterTraining
from vitreous.experiments.trial import Trial
from vitreous.train.measure import read_history

MEASURES = ("precision", "recall", "F1")
"""What is told of each class, in the order of the table."""

STARTED = "started from"
"""The fact of `ClassReportTrial`."""

LOSS = "validation loss"
"""The column of `LossCurvesTrial`."""


def column_of(class_name: str, measure: str) -> str:
    """The column of a class's precision, recall or F1."""
    return f"{class_name}, {measure}"


def classes_of(columns: Sequence[str]) -> list[str]:
    """The classes that some columns tell of, in order."""
    ending = column_of("", MEASURES[0])
    return [column.removesuffix(ending) for column in columns if column.endswith(ending)]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassReportTrial(AfterTraining):
    """Accuracy of a trained model, and precision, recall and F1 of each class, from its report.

    Where the training began from a checkpoint of the user's, the facts name the file.
    """

    kind = "class report"

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Read the report."""
        report = json.loads((finished(self.start) / "run" / "report.json").read_text())
        values = {"accuracy": report["accuracy"]}
        for one in report["classes"]:
            for measure in MEASURES:
                values[column_of(one["name"], measure)] = one[measure.lower()]
        start = self.start.start
        return Outcome(values, facts={STARTED: start.name} if isinstance(start, Path) else {})


@dataclass(frozen=True, kw_only=True, eq=False)
class LossCurvesTrial(AfterTraining):
    """The last validation loss of a training, with the curves of both losses among the facts."""

    kind = "loss curves"

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Read the log."""
        curves = loss_curves(read_history(finished(self.start) / "run" / "metrics.jsonl"))
        return Outcome({LOSS: curves["validation"][-1][1]}, facts=curves)


def loss_curves(history: Sequence[Mapping[str, float]]) -> dict[str, list[list[float]]]:
    """Both losses of a run by epoch, at its validations.

    Args:
        history: Lines of metrics.jsonl; some of them validate.

    Returns:
        `training` and `validation`: pairs of epoch and loss, nats. The training loss is the mean
        of the steps since the validation before.
    """
    training, validation, since = [], [], list[float]()
    for line in history:
        if "loss" in line:
            since.append(line["loss"])
        if "validation_loss" in line:
            validation.append([line["epoch"], line["validation_loss"]])
            if since:
                training.append([line["epoch"], fmean(since)])
            since = []
    return {"training": training, "validation": validation}
