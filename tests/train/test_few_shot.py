"""Few-shot accuracy during training: the probe's own number, off where it is not asked for."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from vitreous.data.sample import Dataset, Part
from vitreous.data.split import Subset, with_validation
from vitreous.errors import UserError
from vitreous.evaluate.probe import probe
from vitreous.objective.config import MaskedPatchConfig
from vitreous.parallel.device import choose_engine
from vitreous.train.config import TrainConfig
from vitreous.train.run import train
from vitreous.weights.load import load

Make = Callable[..., TrainConfig]


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_the_last_one_is_what_probe_says(
    make_config: Make, digits: Dataset, run_folder: Path, console: Console
) -> None:
    config = make_config(few_shot=5, steps=4, validate_every=0.08)
    train(config, digits, run_folder, console)
    logged = [line for line in lines(run_folder) if "validation_loss" in line]
    assert len(logged) > 1
    assert all(0 < line["few_shot_accuracy"] < 1 for line in logged)
    split = with_validation(digits, config.validation_fraction, config.seed)
    engine = choose_engine("cpu", "float32")
    (row,) = probe(load(run_folder), split, "validation", engine, shots=[5])["few_shot"]
    assert logged[-1]["few_shot_accuracy"] == pytest.approx(row["accuracy"])
    assert logged[-1]["few_shot_spread"] == pytest.approx(row["spread"])


def test_of_any_objective(
    make_config: Make, digits: Dataset, run_folder: Path, console: Console
) -> None:
    headless = replace(make_config().model, num_classes=0, patch=2)
    config = make_config(
        few_shot=1, steps=2, model=headless, objective=MaskedPatchConfig(), label_smoothing=0
    )
    train(config, digits, run_folder, console)
    assert "few_shot_accuracy" in lines(run_folder)[-1]


def test_off_unless_asked(
    make_config: Make, digits: Dataset, run_folder: Path, console: Console
) -> None:
    train(make_config(steps=2), digits, run_folder, console)
    assert not any("few_shot_accuracy" in line for line in lines(run_folder))


def test_what_cannot_be_measured_is_refused_first(
    make_config: Make, digits: Dataset, run_folder: Path, console: Console
) -> None:
    with pytest.raises(UserError, match="500 shots are asked for and class 8 has 111"):
        train(make_config(few_shot=500), digits, run_folder, console)
    with pytest.raises(UserError, match="there is none: give --validation_fraction"):
        train(make_config(few_shot=5, validation_fraction=0), digits, run_folder, console)
    with pytest.raises(UserError, match="few_shot is -1"):
        make_config(few_shot=-1)
    several = replace(
        digits, multi_label=True, parts={"train": _Several(len(digits.parts["train"].labels))}
    )
    with pytest.raises(UserError, match="takes one"):
        train(make_config(few_shot=5), several, run_folder, console)
    part = of_one_class(digits.parts["train"])
    one = replace(digits, class_names=("all",), parts={"train": part, "validation": part})
    headless = replace(make_config().model, num_classes=0, patch=2)
    unsupervised = make_config(
        few_shot=5, model=headless, objective=MaskedPatchConfig(), label_smoothing=0
    )
    with pytest.raises(UserError, match="one class"):
        train(unsupervised, one, run_folder, console)
    assert not run_folder.exists()


def of_one_class(part: Part) -> Part:
    alike = Subset([part], np.arange(len(part.labels)))
    alike.labels = np.zeros_like(part.labels)
    return alike


class _Several:
    def __init__(self, count: int) -> None:
        self.names = [str(number) for number in range(count)]
        self.labels = np.eye(10, dtype=np.uint8)[np.arange(count) % 10]

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        return np.zeros((8, 8, 1), np.uint8)
