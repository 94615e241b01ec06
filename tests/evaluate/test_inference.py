from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sources.pixels import PixelPart
from vitreous.data.workers import Workers
from vitreous.errors import BadImageError
from vitreous.evaluate.inference import Inference, infer
from vitreous.parallel.device import choose_engine

RULE = Preprocessing(size=(2, 2), channels=1, mean=(0.0,), std=(1 / 255,))


class Levels(nn.Module):
    """Answers with the grey level of each plain image, and with its training mode."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([images[:, 0, 0, 0], torch.full((len(images),), self.training)], 1)


class Broken(PixelPart):
    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        if index == 4:
            raise BadImageError(self.names[index], "broken")
        return super().read(index)

    def gather(self, indices: np.ndarray, size: tuple[int, int]) -> None:
        """One by one, so that the broken one is met."""


def answers(batch_size: int, kind: Any = PixelPart, precision: str = "float32") -> Inference:
    pixels = np.arange(10, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2)
    part = kind([str(n) for n in range(10)], np.arange(10) % 3, lambda: pixels)
    loader = EvaluationLoader(
        part,
        RULE,
        batch_size=batch_size,
        faults=Faults(10),
        workers=Workers(kind="threads", count=2),
    )
    return infer(Levels().train(), loader, choose_engine("cpu", precision))


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_each_image_is_answered_once_in_order(batch_size: int) -> None:
    result = answers(batch_size)
    np.testing.assert_allclose(result.logits, [[n, 0] for n in range(10)], atol=1e-5)
    assert result.index.tolist() == list(range(10))
    assert result.labels.tolist() == [n % 3 for n in range(10)]
    assert result.logits.dtype == np.float32


def test_an_unreadable_image_is_left_out() -> None:
    result = answers(4, Broken)
    assert result.index.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(result.logits[:, 0], result.index, atol=1e-5)
    assert result.labels.tolist() == [n % 3 for n in result.index]


def test_logits_come_as_float32_from_any_precision() -> None:
    assert answers(4, precision="bfloat16").logits.dtype == np.float32
