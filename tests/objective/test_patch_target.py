import math

import pytest
import torch

from vitreous.data.batch import normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.patch import cut_patches
from vitreous.objective.patch_target import ColourTarget, PixelTarget, show

RULE = Preprocessing(size=(8, 8), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))


def pixels(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.manual_seed(0))


def test_the_mean_colour_has_3_bits_a_channel() -> None:
    levels = torch.tensor([[0, 31, 32], [255, 224, 223], [100, 150, 200]], dtype=torch.uint8)
    images = levels[:, :, None, None].expand(-1, -1, 8, 8)
    target = ColourTarget(RULE, (8, 8), cells=1)
    assert target.outputs == 512
    codes = target.of(normalise(images, RULE))
    # Each level is worth 32; the first channel counts least.
    expected = [[0 + 8 * 0 + 64 * 1], [7 + 8 * 7 + 64 * 6], [3 + 8 * 4 + 64 * 6]]
    assert codes[:, 0].tolist() == expected


def test_it_is_the_mean_of_the_patch_and_not_of_its_pixels_classes() -> None:
    images = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    images[..., :2] = 130  # half of it: a mean of 65, level 2
    codes = ColourTarget(RULE, (4, 4), cells=1).of(normalise(images, RULE))
    assert codes.tolist() == [[[2 + 16 + 128]]]


def test_cells_are_16_mean_colours() -> None:
    images = pixels(2, 3, 16, 16)
    target = ColourTarget(RULE, (8, 8), cells=4)
    assert target.outputs == 16 * 512
    codes = target.of(normalise(images, RULE))
    assert codes.shape == (2, 4, 16)
    cell = images[1, :, 8:10, 2:4].double().mean((1, 2)) // 32  # of patch 2, row 0, column 1
    assert codes[1, 2, 1] == cell[0] + 8 * cell[1] + 64 * cell[2]


@pytest.mark.parametrize("cells", [1, 4])
def test_a_told_colour_is_shown_in_its_place(cells: int) -> None:
    images = pixels(2, 3, 16, 16)
    target = ColourTarget(RULE, (8, 8), cells)
    normalised = normalise(images, RULE)
    codes = target.of(normalised)
    told = torch.nn.functional.one_hot(codes, 512).float().flatten(2)
    assert target.loss(50 * told, codes).measures["colour_accuracy"] == 1
    assert target.loss(torch.zeros_like(told), codes).loss.item() == pytest.approx(math.log(512))
    patches = target.patches(told, cut_patches(normalised, (8, 8)))
    shown = show(patches, RULE, (2, 2), (8, 8))
    means = torch.nn.functional.avg_pool2d(images / 255, 8 // cells).repeat_interleave(
        8 // cells, 2
    )
    assert (shown - means.repeat_interleave(8 // cells, 3)).abs().max() <= 1 / 16 + 1e-6


@pytest.mark.parametrize("scaled", [False, True])
def test_pixels_come_back(scaled: bool) -> None:
    images = normalise(pixels(2, 3, 16, 24), RULE)
    target = PixelTarget(RULE, (8, 8), scaled=scaled)
    truth = target.of(images)
    assert target.outputs == 192
    assert target.loss(truth, truth).loss == 0
    assert target.loss(truth + 2, truth).loss.item() == pytest.approx(4)
    if scaled:
        assert truth.mean(2).abs().max() < 1e-5
        assert (truth.var(2) - 1).abs().max() < 1e-3
    patches = target.patches(truth, cut_patches(images, (8, 8)))
    shown = show(patches, RULE, (2, 3), (8, 8))
    torch.testing.assert_close(shown, pixels(2, 3, 16, 24) / 255, atol=1e-5, rtol=0)


def test_greyscale_has_8_classes() -> None:
    rule = Preprocessing(size=(4, 4), channels=1, mean=(0.5,), std=(0.5,))
    target = ColourTarget(rule, (4, 4), cells=1)
    assert target.outputs == 8
    codes = target.of(normalise(torch.full((1, 1, 4, 4), 255, dtype=torch.uint8), rule))
    assert codes.tolist() == [[[7]]]
