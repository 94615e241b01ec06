"""What is read of a finished training: measures of each class, and the loss curves."""

import json
from dataclasses import replace

import pytest

from vitreous.experiments.cache import TrialCache
from vitreous.experiments.class_report import (
    LOSS,
    MEASURES,
    ClassReportTrial,
    LossCurvesTrial,
    classes_of,
    column_of,
    loss_curves,
)
from vitreous.experiments.small import small_vit, training
from vitreous.experiments.training import TrainingTrial


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny):
    """A cache with a training that validated, and that training."""
    parts = {"train": tiny.parts["train"], "validation": tiny.parts["test"]}
    dataset = replace(tiny, parts=parts)
    model = small_vit(tiny, patch=4, width=16, depth=1)
    config = training(dataset, model, images_seen=240, batch_size=20, validate_every=1.0)
    trial = TrainingTrial(row="", config=config, dataset=dataset)
    cache = TrialCache(tmp_path_factory.mktemp("trials"))
    cache.run(trial)
    return cache, trial


def test_the_report_is_told_class_by_class(trained) -> None:
    cache, training_trial = trained
    found = cache.run(ClassReportTrial(row="ViT", start=training_trial)).values
    report = json.loads((cache.place(training_trial) / "run" / "report.json").read_text())
    assert found["accuracy"] == report["accuracy"]
    assert classes_of(list(found)) == [one["name"] for one in report["classes"]]
    assert len(found) == 1 + 10 * len(MEASURES)
    for one in report["classes"]:
        assert found[column_of(one["name"], "recall")] == one["recall"]
        assert found[column_of(one["name"], "F1")] == one["f1"]


def test_the_curves_end_with_the_reports_loss(trained) -> None:
    cache, training_trial = trained
    outcome = cache.run(LossCurvesTrial(row="ViT", start=training_trial))
    report = json.loads((cache.place(training_trial) / "run" / "report.json").read_text())
    assert outcome.values[LOSS] == pytest.approx(report["loss"], rel=1e-3)
    for part in ("training", "validation"):
        assert [epoch for epoch, _ in outcome.facts[part]] == pytest.approx([1, 2, 3, 4])


def test_the_training_loss_is_the_mean_since_the_validation_before() -> None:
    lines = [
        {"epoch": 0.5, "loss": 3.0},
        {"epoch": 1.0, "loss": 2.0},
        {"epoch": 1.0, "validation_loss": 2.4},
        {"epoch": 2.0, "loss": 1.0},
        {"epoch": 2.0, "validation_loss": 1.4},
        {"epoch": 2.5, "loss": 0.5},
    ]
    assert loss_curves(lines) == {
        "training": [[1.0, 2.5], [2.0, 1.0]],
        "validation": [[1.0, 2.4], [2.0, 1.4]],
    }
