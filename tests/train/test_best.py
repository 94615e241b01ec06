"""The best of the validations, patience, and several labels an image: whole small runs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vitreous.data.sample import Dataset
from vitreous.errors import UserError
from vitreous.evaluate.predict import predict
from vitreous.train.best import standing
from vitreous.train.loop import Loop
from vitreous.train.measure import read_history
from vitreous.train.run import train
from vitreous.train.tuning import TuningConfig
from vitreous.weights.load import load


def line(step, score):
    return {"step": step, "validation_accuracy": score}


def test_standing_is_of_the_first_best():
    history = [line(1, 0.2), {"step": 2, "loss": 1.0}, line(3, 0.5), line(4, 0.5), line(5, 0.4)]
    now = standing(history)
    assert (now.step, now.score, now.since) == (3, 0.5, 2)
    assert standing([]).step is None


def test_a_share_of_colours_counts_before_the_loss():
    lines = [(2, 0.4, 1.0), (4, 0.5, 2.0)]
    history = [
        {"step": step, "validation_colour_accuracy": share, "validation_loss": loss}
        for step, share, loss in lines
    ]
    assert standing(history).step == 4


@pytest.fixture
def scored(monkeypatch):
    """Validations that go up, then down, whatever the model."""
    scores = {2: 0.3, 4: 0.9, 6: 0.5, 8: 0.4, 10: 0.3, 12: 0.2}

    def validate(self):
        step = self.state.step
        self.log.write(
            self._place() | {"validation_loss": 1.0, "validation_accuracy": scores[step]}
        )
        self._keep_if_best()

    monkeypatch.setattr(Loop, "_validate", validate)


def test_patience_ends_the_run_with_the_best(
    make_config, digits, console, tmp_path, monkeypatch, scored
):
    config = make_config(steps=12, validate_every=2 * 40 / 1150, patience=2)
    train(config, digits, tmp_path / "whole", console)
    history = read_history(tmp_path / "whole" / "metrics.jsonl")
    assert history[-1]["step"] == 8  # the best at 4, then two without
    model = load(tmp_path / "whole")
    assert model.passport.origin["best_step"] == 4

    short = make_config(steps=12, validate_every=2 * 40 / 1150)
    step = Loop._step

    # The average at step 4, not that of step 8, is what was handed over.
    seen = {}

    def keep(self, batch):
        result = step(self, batch)
        if self.state.step == 4:
            seen.update({n: t.clone() for n, t in self.state.result.state_dict().items()})
        return result

    monkeypatch.setattr(Loop, "_step", keep)
    train(short, digits, tmp_path / "short", console)
    kept = load_file(tmp_path / "whole" / "model.safetensors")
    assert all(torch.equal(kept[name], seen[name]) for name in seen)

    # Killed after the best, and gone on with: the same end.
    calls = []

    def dying(self, batch):
        calls.append(self.state.step)
        if len(calls) == 6:
            raise RuntimeError("killed")
        return step(self, batch)

    monkeypatch.setattr(Loop, "_step", dying)
    with pytest.raises(RuntimeError, match="killed"):
        train(config, digits, tmp_path / "cut", console)
    train(config, digits, tmp_path / "cut", console, resume=True)
    cut = load_file(tmp_path / "cut" / "model.safetensors")
    assert all(torch.equal(kept[name], cut[name]) for name in kept)


def test_the_best_needs_a_validation(make_config, digits, console, tmp_path):
    config = make_config(result="best", validation_fraction=0.0)
    with pytest.raises(UserError, match="go by a validation part"):
        train(config, digits, tmp_path / "run", console)


def test_what_was_spent_is_in_every_line(make_config, digits, console, tmp_path):
    from vitreous.model.cost import multiply_adds

    config = make_config(steps=4)
    train(config, digits, tmp_path / "run", console)
    history = read_history(tmp_path / "run" / "metrics.jsonl")
    # Nothing learns what the patches themselves should have been: 4 of 16 pixels, 16 wide.
    an_image = 6 * multiply_adds(config.model) - 2 * 4 * 16 * 16
    assert history[-1]["flops"] == an_image * 4 * 40
    assert all(later["device_hours"] >= 0 and "flops" in later for later in history)


def test_adapters_end_in_an_ordinary_model(make_config, digits, console, tmp_path):
    train(make_config(steps=6), digits, tmp_path / "first", console)
    before = load(tmp_path / "first")
    config = replace(
        make_config(steps=6),
        weights=str(tmp_path / "first"),
        tuning=TuningConfig(train="lora", lora_targets=("qkv", "mlp")),
        average=0.0,
    )
    train(config, digits, tmp_path / "tuned", console)
    after = load(tmp_path / "tuned")  # its canary is checked
    assert after.state_dict().keys() == before.state_dict().keys()
    moved = {
        name
        for name, tensor in after.state_dict().items()
        if not torch.equal(tensor, before.state_dict()[name])
    }
    block = "encoder.blocks.{}.{}.weight"
    kernels = ("attention.qkv", "mlp.expand", "mlp.contract")
    assert moved == {block.format(n, kernel) for n in (0, 1) for kernel in kernels} | {
        "head.weight",
        "head.bias",
    }


class Pairs:
    """Digits whose labels are: is it even, is it over 4."""

    def __init__(self, part):
        self.part, self.names = part, part.names
        values = np.asarray(part.labels)
        self.labels = np.stack([values % 2 == 0, values > 4], 1).astype(np.uint8)

    def read(self, index, min_side=None):
        return self.part.read(index, min_side)


def test_several_labels_from_training_to_prediction(make_config, digits, console, tmp_path):
    dataset = Dataset(
        address="pairs",
        class_names=("even", "large"),
        parts={name: Pairs(part) for name, part in digits.parts.items()},
        channels=1,
        image_size=(8, 8),
        multi_label=True,
    )
    config = make_config(steps=60, average=0.0, class_weights="auto")
    config = replace(config, model=replace(config.model, num_classes=2, dropout=0.0))
    report = train(config, dataset, tmp_path / "run", console)
    assert report["multi_label"]
    assert report["map"] > 0.6  # half of the images have each class: chance is 0.5
    assert {row["name"] for row in report["classes"]} == {"even", "large"}
    assert "several labels" in (tmp_path / "run" / "report.html").read_text()
    history = read_history(tmp_path / "run" / "metrics.jsonl")
    assert any("validation_map" in line for line in history)
    written = json.loads((tmp_path / "run" / "report.json").read_text())
    assert written["map"] == report["map"]

    model = load(tmp_path / "run")
    assert model.passport.multi_label
    images = [dataset.parts["test"].read(index) for index in range(20)]
    answers = predict(model, images, threshold=0.3)
    for answer in answers:
        over = {name for name, share in answer.probabilities if share >= 0.3}
        assert set(answer.labels) == over
    sums = [sum(share for _, share in answer.probabilities) for answer in answers]
    assert any(abs(total - 1) > 0.02 for total in sums)  # no softmax
    with pytest.raises(UserError, match="threshold"):
        predict(model, images, threshold=1.0)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_where_the_best_are_lost_the_last_are_taken_and_that_is_told(
    make_config, digits, console, tmp_path, scored, damage
):
    config = make_config(steps=12, validate_every=2 * 40 / 1150, result="best")
    train(config, digits, tmp_path, console)
    (best,) = (tmp_path / "checkpoints").glob("best-*")
    if damage == "cut":
        best.write_bytes(best.read_bytes()[:300])
    else:
        best.unlink()
    train(config, digits, tmp_path, console, resume=True)
    assert f"{best.name} cannot be read" in console.file.getvalue()
    assert "the last weights, and not the best" in console.file.getvalue()
    model = load(tmp_path)
    assert model.passport.origin["best_step"] is None
    assert "those of the best validation are lost" in (tmp_path / "report.html").read_text()


def test_without_a_log_no_validation_is_known(make_config, digits, console, tmp_path, scored):
    config = make_config(steps=12, validate_every=2 * 40 / 1150, result="best")
    train(config, digits, tmp_path, console)
    (tmp_path / "metrics.jsonl").unlink()
    train(config, digits, tmp_path, console, resume=True)
    assert load(tmp_path).passport.origin["best_step"] is None
