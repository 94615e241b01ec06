import numpy as np
import pytest
import torch

from vitreous.data.augmentation import Augmentation
from vitreous.data.draws import Draws
from vitreous.data.erasing import draw_erasing, erase


def test_boxes_lie_inside_and_are_as_large_and_as_many_as_asked() -> None:
    asked = Augmentation(erase=0.4, erase_area=(0.05, 0.2))
    boxes = draw_erasing(asked, (60, 80), Draws(0, np.arange(2000)))
    some = boxes[boxes[:, 2] > 0]
    assert len(some) == pytest.approx(800, abs=100)
    top, left, height, width = some.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height).max() == 60
    assert (left + width).max() == 80
    areas = height * width / 4800
    assert areas.min() == pytest.approx(0.05, abs=0.01)
    assert areas.max() == pytest.approx(0.2, abs=0.02)
    ratios = height / width
    assert ratios.max() == pytest.approx(1 / 0.3, rel=0.15)
    assert ratios.min() == pytest.approx(0.3, rel=0.15)


def test_the_chance_takes_no_part_in_where_boxes_lie() -> None:
    some, all_ = (
        draw_erasing(Augmentation(erase=chance), (32, 32), Draws(5, np.arange(100)))
        for chance in (0.5, 1.0)
    )
    erased = some[:, 2] > 0
    assert 20 < erased.sum() < 80
    assert np.array_equal(some[erased], all_[erased])
    assert (all_[:, 2] > 0).all()


def test_where_no_box_fits_nothing_is_erased() -> None:
    boxes = draw_erasing(Augmentation(erase=1.0), (1, 1), Draws(0, np.arange(10)))
    assert not boxes.any()


def test_only_the_box_changes_and_becomes_normal_noise() -> None:
    images = torch.full((3, 3, 40, 50), 7.0)
    boxes = torch.tensor([[0, 0, 0, 0], [10, 5, 20, 40], [0, 49, 40, 1]])
    out = erase(images, boxes, torch.arange(3), np.random.default_rng(0))
    assert torch.equal(out[0], images[0])
    inside = torch.zeros(40, 50, dtype=torch.bool)
    inside[10:30, 5:45] = True
    assert (out[1][:, ~inside] == 7).all()
    noise = out[1][:, inside]
    assert noise.mean().item() == pytest.approx(0, abs=0.1)
    assert noise.std().item() == pytest.approx(1, abs=0.1)
    assert (out[2][:, :, :49] == 7).all()
    assert (out[2][:, :, 49] != 7).all()
    assert (images == 7).all(), "the batch that came is left alone"


def test_the_generator_decides_the_noise() -> None:
    images, boxes = torch.zeros(1, 3, 8, 8), torch.tensor([[0, 0, 8, 4]])
    index = torch.tensor([7])
    one, same, other = (erase(images, boxes, index, np.random.default_rng(s)) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_noise_belongs_to_the_image_whoever_is_beside_it() -> None:
    """Ranks that share a batch draw what one alone would, and none what another does."""
    images, boxes = torch.zeros(4, 3, 8, 8), torch.tensor([[0, 0, 8, 8]] * 4)
    index = torch.tensor([9, 2, 5, 1_281_166])
    whole = erase(images, boxes, index, np.random.default_rng(0))
    halves = [
        erase(images[rows], boxes[rows], index[rows], np.random.default_rng(0))
        for rows in (slice(0, 2), slice(2, 4))
    ]
    assert torch.equal(torch.cat(halves), whole)
    assert len({tuple(image.flatten().tolist()) for image in whole}) == 4
    assert not torch.equal(whole[0], whole[2])
