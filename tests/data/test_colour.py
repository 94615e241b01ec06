from colorsys import hsv_to_rgb, rgb_to_hsv

import numpy as np
import pytest
import torch

from vitreous.data.augmentation import Augmentation
from vitreous.data.colour import draw_colour, recolour
from vitreous.data.draws import Draws

IMAGES = 255 * torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def changed(
    brightness: float = 1, contrast: float = 1, saturation: float = 1, turn: float = 0
) -> torch.Tensor:
    return recolour(IMAGES, torch.tensor([[brightness, contrast, saturation, turn]]).float())


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
    augmentation = Augmentation(brightness=0.2, contrast=3.0)
    drawn = draw_colour(augmentation, Draws(0, np.arange(500)))
    assert drawn[:, 0].min() == pytest.approx(0.8, abs=0.01)
    assert drawn[:, 0].max() == pytest.approx(1.2, abs=0.01)
    assert drawn[:, 1].min() == 0
    assert (drawn[:, 2] == 1).all()
    assert drawn.shape[1] == 3


@pytest.mark.parametrize("turn", [-0.5, -0.13, 0.0, 0.25, 0.5])
def test_hue_turns_as_in_hsv(turn: float) -> None:
    expected = []
    for red, green, blue in IMAGES[0].flatten(1).T.tolist():
        hue, saturation, value = rgb_to_hsv(red / 255, green / 255, blue / 255)
        expected.append(hsv_to_rgb((hue + turn) % 1, saturation, value))
    wanted = 255 * torch.tensor(expected).T.reshape(IMAGES.shape)
    torch.testing.assert_close(changed(turn=turn), wanted, atol=1e-3, rtol=0)


def test_grey_pixels_have_no_hue_and_a_third_of_the_circle_swaps_channels() -> None:
    grey = IMAGES[:, :1].expand(1, 3, 4, 5)
    torch.testing.assert_close(recolour(grey, torch.tensor([[1.0, 1, 1, 0.4]])), grey)
    torch.testing.assert_close(
        recolour(IMAGES, torch.tensor([[1.0, 1, 1, 1 / 3]])), IMAGES.roll(1, 1), atol=1e-2, rtol=0
    )


def test_hue_is_drawn_within_its_range() -> None:
    turns = draw_colour(Augmentation(hue=0.1), Draws(0, np.arange(500)))[:, 3]
    assert min(turns) == pytest.approx(-0.1, abs=0.002)
    assert max(turns) == pytest.approx(0.1, abs=0.002)
