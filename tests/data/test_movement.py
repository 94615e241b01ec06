import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vitreous.data.augmentation import Augmentation
from vitreous.data.draws import Draws
from vitreous.data.movement import _sampled, draw_movement, move

IMAGES = torch.rand(2, 3, 6, 10, generator=torch.Generator().manual_seed(0))


def affine(angle: float = 0, scale: float = 1, dx: float = 0, dy: float = 0) -> torch.Tensor:
    cos, sin = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    return torch.tensor([[[cos, -sin, dx], [sin, cos, dy]]]).expand(2, -1, -1)


def close(images: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(images, expected, atol=1e-5, rtol=0)


def test_the_identity_changes_nothing() -> None:
    close(move(IMAGES, affine()), IMAGES)


def test_half_a_turn() -> None:
    close(move(IMAGES, affine(180)), IMAGES.flip(2, 3))


def test_a_quarter_turn_keeps_squares_square_on_any_shape() -> None:
    turned = move(IMAGES, affine(90))
    middle = IMAGES[:, :, :, 2:8]
    close(turned[:, :, :, 2:8], middle.rot90(1, (2, 3)))


def test_what_is_only_shifted_goes_by_whole_pixels() -> None:
    close(
        move(IMAGES, affine(dx=1.8 * 2 / 10, dy=-0.7 * 2 / 6)),
        move(IMAGES, affine(dx=0.4, dy=-1 / 3)),
    )


def test_what_is_turned_too_is_not_rounded() -> None:
    near = move(IMAGES, affine(angle=1e-4, dx=1.5 * 2 / 10))
    between = (IMAGES[..., 1:-1] + IMAGES[..., 2:]) / 2
    torch.testing.assert_close(near[..., :8], between, atol=1e-3, rtol=0)


def test_a_shift_by_two_columns_repeats_the_border() -> None:
    shifted = move(IMAGES, affine(dx=2 * 2 / 10))
    close(shifted[..., :8], IMAGES[..., 2:])
    close(shifted[..., 8:], IMAGES[..., 9:].expand(-1, -1, -1, 2))


def test_each_image_has_its_own() -> None:
    both = torch.cat([affine()[:1], affine(180)[:1]])
    close(move(IMAGES, both), torch.stack([IMAGES[0], IMAGES[1].flip(1, 2)]))


def test_draws_stay_in_their_ranges_and_reach_far() -> None:
    augmentation = Augmentation(rotate=30, scale=0.2, translate=0.1)
    drawn = draw_movement(augmentation, Draws(0, np.arange(500)))
    angles = np.degrees(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    sizes = 1 / np.hypot(drawn[:, 1, 0], drawn[:, 0, 0])
    shifts = drawn[:, :, 2] / 2
    for values, low, high in ((angles, -30, 30), (sizes, 0.8, 1.2), (shifts, -0.1, 0.1)):
        margin = (high - low) / 50
        assert low - 1e-4 < values.min() < low + margin
        assert high - margin < values.max() < high + 1e-4


def test_nothing_asked_is_the_identity() -> None:
    still = draw_movement(Augmentation(), Draws(0, np.arange(3)))
    np.testing.assert_array_equal(still, np.broadcast_to(np.eye(2, 3), (3, 2, 3)))


@pytest.mark.parametrize("size", [(4, 9), (7, 7), (1, 3)])
def test_the_grid_is_pytorchs(size: tuple[int, int]) -> None:
    asked = Augmentation(rotate=90, scale=0.5, translate=0.5)
    maps = torch.from_numpy(draw_movement(asked, Draws(0, np.arange(5))).copy())
    expected = F.affine_grid(maps, [5, 1, *size], align_corners=False)
    torch.testing.assert_close(_sampled(maps, *size), expected, atol=1e-6, rtol=0)
