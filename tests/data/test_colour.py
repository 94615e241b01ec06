import numpy as np
import pytest
import torch

from vitreous.data.augmentation import Augmentation
from vitreous.data.colour import draw_colour, recolour

IMAGES = 255 * torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def changed(brightness: float = 1, contrast: float = 1, saturation: float = 1) -> torch.Tensor:
    return recolour(IMAGES, torch.tensor([[brightness, contrast, saturation]]).float())


def test_ones_change_nothing() -> None:
    torch.testing.assert_close(changed(), IMAGES, atol=1e-3, rtol=0)


def test_brightness_scales_and_stops_at_white() -> None:
    torch.testing.assert_close(changed(brightness=0.5), IMAGES / 2, atol=1e-3, rtol=0)
    assert changed(brightness=3).max() == 255


def test_no_contrast_is_the_mean_and_no_saturation_is_grey() -> None:
    torch.testing.assert_close(changed(contrast=0), IMAGES.mean().expand_as(IMAGES))
    grey = IMAGES.mean(1, keepdim=True).expand_as(IMAGES)
    torch.testing.assert_close(changed(saturation=0), grey)


def test_each_image_has_its_own_factors() -> None:
    two = recolour(IMAGES.repeat(2, 1, 1, 1), torch.tensor([[1.0, 1, 1], [0, 1, 1]]))
    assert two[0].any()
    assert not two[1].any()


def test_grey_images_have_no_saturation_to_change() -> None:
    grey = IMAGES[:, :1]
    torch.testing.assert_close(recolour(grey, torch.tensor([[1.0, 1, 5]])), grey)


def test_draws_stay_in_their_ranges_and_above_zero() -> None:
    draw = np.random.default_rng(0)
    augmentation = Augmentation(brightness=0.2, contrast=3.0)
    drawn = np.stack([draw_colour(augmentation, draw) for _ in range(500)])
    assert drawn[:, 0].min() == pytest.approx(0.8, abs=0.01)
    assert drawn[:, 0].max() == pytest.approx(1.2, abs=0.01)
    assert drawn[:, 1].min() == 0
    assert (drawn[:, 2] == 1).all()
