import pytest
import torch

from vitreous.data import batch
from vitreous.data.batch import Batch, normalise
from vitreous.data.preprocessing import Preprocessing

RULE = Preprocessing(size=(1, 2), mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_known_values(dtype: torch.dtype) -> None:
    images = torch.tensor([0, 255, 51, 255, 0, 102], dtype=dtype).view(1, 3, 1, 2)
    normalised = normalise(images, RULE)
    assert normalised.dtype == torch.float32
    assert normalised.flatten().tolist() == pytest.approx([-1, 1, -0.2, 3, 0, 0.4], abs=1e-6)


def test_googles_rule_is_minus_one_to_one() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    rule = Preprocessing(size=(16, 16), channels=1, mean=(0.5,), std=(0.5,))
    expected = levels.double() / 127.5 - 1
    assert (normalise(levels, rule).double() - expected).abs().max() < 2e-7


def test_it_goes_to_a_device_with_all_it_has() -> None:
    count = torch.zeros(2, dtype=torch.int64)
    batch = Batch(
        images=torch.zeros(2, 3, 1, 2, dtype=torch.uint8),
        labels=count,
        index=count,
        mask=count > 0,
        movement=torch.zeros(2, 2, 3),
    )
    there = batch.to(torch.device("meta"))
    assert len(there) == 2
    assert there.colour is None
    fields = (there.images, there.labels, there.index, there.mask, there.movement)
    assert all(tensor.is_meta for tensor in fields)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_pieces_change_nothing(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(0, 256, (count, 3, 7, 9), dtype=torch.uint8)
    rule = Preprocessing(size=(7, 9), mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    whole = normalise(images, rule)
    monkeypatch.setattr(batch, "_CACHED_NUMBERS", 2 * 3 * 7 * 9)
    assert torch.equal(normalise(images, rule), whole)
