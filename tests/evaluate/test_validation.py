"""What training says of validation images is what their logits say."""

import numpy as np
import pytest
import torch
from torch import nn

from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sources.pixels import PixelPart
from vitreous.data.workers import Workers
from vitreous.evaluate.inference import infer
from vitreous.evaluate.validation import measure, validate, validation_batch
from vitreous.parallel.device import choose_engine

RULE = Preprocessing(size=(4, 4), channels=1, mean=(0.5,), std=(0.5,))
ENGINE = choose_engine("cpu", "float32")


def loader_of(labels: np.ndarray, batch_size: int = 4) -> EvaluationLoader:
    count = len(labels)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 1)).astype(np.uint8)
    part = PixelPart([str(n) for n in range(count)], labels, lambda: pixels)
    return EvaluationLoader(
        part,
        RULE,
        batch_size=batch_size,
        faults=Faults(count),
        workers=Workers(kind="threads", count=2),
    )


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


LABELS = np.arange(10) % 3


@pytest.mark.parametrize("batch_size", [1, 4, 10, 64])
def test_equals_the_measures_of_all_logits(batch_size: int) -> None:
    answers = infer(linear(), loader_of(LABELS), ENGINE)
    expected = measure(answers.logits, answers.labels)
    assert validate(linear(), loader_of(LABELS, batch_size), ENGINE) == pytest.approx(
        expected, rel=1e-6
    )
    assert validate(linear(), loader_of(LABELS), ENGINE) == expected


def test_no_logits_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("all logits were asked for")

    monkeypatch.setattr("vitreous.evaluate.validation.infer", refuse)
    validate(linear(), loader_of(LABELS), ENGINE)


def test_a_broken_model_is_told() -> None:
    broken = linear()
    nn.init.constant_(broken[1].bias, torch.nan)
    with pytest.raises(ArithmeticError, match="NaN or infinity"):
        validate(broken, loader_of(LABELS), ENGINE)


def test_a_gpu_validates_more_images_at_once():
    gpu = torch.device("cuda")
    assert validation_batch(torch.device("cpu"), (32, 32)) == 128
    assert [validation_batch(gpu, (side, side)) for side in (32, 224, 384, 1024)] == [
        512,
        512,
        174,
        128,
    ]
