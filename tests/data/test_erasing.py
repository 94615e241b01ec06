import numpy as np
import pytest
import torch

from vitreous.data.augmentation import Augmentation
from vitreous.data.erasing import draw_erasing, erase


def test_boxes_lie_inside_and_are_as_large_and_as_many_as_asked() -> None:
    asked = Augmentation(erase=0.4, erase_area=(0.05, 0.2))
    draw = np.random.default_rng(0)
    boxes = np.array([draw_erasing(asked, (60, 80), draw) for _ in range(2000)])
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


def test_the_same_number_of_draws_whatever_happens() -> None:
    after = set()
    for chance in (0.0, 1.0):
        draw = np.random.default_rng(5)
        draw_erasing(Augmentation(erase=chance), (32, 32), draw)
        after.add(draw.random())
    assert len(after) == 1


def test_only_the_box_changes_and_becomes_normal_noise() -> None:
    images = torch.full((3, 3, 40, 50), 7.0)
    boxes = torch.tensor([[0, 0, 0, 0], [10, 5, 20, 40], [0, 49, 40, 1]])
    out = erase(images, boxes, np.random.default_rng(0))
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
    one, same, other = (erase(images, boxes, np.random.default_rng(s)) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
