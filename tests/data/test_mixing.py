import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitreous.data.augmentation import Augmentation
from vitreous.data.mixing import mix

B, H, W = 6, 8, 10
# Each image is plain, of its own number, and of its own class.
IMAGES = torch.arange(1.0, B + 1).view(B, 1, 1, 1).expand(B, 2, H, W)
TARGETS = torch.eye(B)
SEEDS = st.integers(0, 10_000)


def mixed(seed: int, **fields: float) -> tuple[torch.Tensor, torch.Tensor]:
    return mix(IMAGES, TARGETS, Augmentation(**fields), np.random.default_rng(seed))


@given(SEEDS)
def test_mixup_mixes_pixels_and_targets_alike(seed: int) -> None:
    images, targets = mixed(seed, mixup=0.8)
    torch.testing.assert_close(targets.sum(1), torch.ones(B))
    expected = (targets @ torch.arange(1.0, B + 1)).view(B, 1, 1, 1).expand_as(images)
    torch.testing.assert_close(images, expected)


@given(SEEDS)
def test_cutmix_shares_are_the_pixels_that_were_pasted(seed: int) -> None:
    images, targets = mixed(seed, cutmix=1.0)
    torch.testing.assert_close(targets.sum(1), torch.ones(B))
    for own, (image, target) in enumerate(zip(images, targets, strict=True)):
        shares = torch.stack([(image[0] == number + 1).float().mean() for number in range(B)])
        torch.testing.assert_close(shares, target, atol=1e-6, rtol=0)
        pasted = (image[0] != own + 1).nonzero()
        if len(pasted):
            sides = pasted.max(0).values - pasted.min(0).values + 1
            assert sides.prod() == len(pasted), "what was pasted is one box"


@given(SEEDS)
def test_whole_batches_of_targets_keep_their_sum(seed: int) -> None:
    _, targets = mixed(seed, mixup=0.3, cutmix=1.0, mix_probability=0.7)
    torch.testing.assert_close(targets.sum(0), torch.ones(B))


def test_the_generator_decides_everything() -> None:
    fields = {"mixup": 0.3, "cutmix": 1.0, "mix_probability": 0.7}
    for seed in range(20):
        for one, other in zip(mixed(seed, **fields), mixed(seed, **fields), strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(mixed(0, mixup=1.0)[0], mixed(1, mixup=1.0)[0])


def test_both_kinds_come_as_often_and_some_batches_stay() -> None:
    kinds = {"still": 0, "mixup": 0, "cutmix": 0}
    for seed in range(400):
        images, _ = mixed(seed, mixup=1.0, cutmix=1.0, mix_probability=0.5)
        whole = bool((images == images.round()).all())
        kinds["still" if images is IMAGES else "cutmix" if whole else "mixup"] += 1
    assert kinds["still"] == pytest.approx(200, abs=40)
    assert kinds["mixup"] == pytest.approx(100, abs=35)


def test_the_batch_that_came_is_left_alone() -> None:
    before = IMAGES.clone()
    for seed in range(10):
        mixed(seed, cutmix=1.0)
    assert torch.equal(IMAGES, before)


def test_off_is_off() -> None:
    images, targets = mixed(0)
    assert images is IMAGES
    assert targets is TARGETS
