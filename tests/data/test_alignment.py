import numpy as np
import torch
from PIL import Image

from vitreous.data.alignment import Alignment, align, likeness

SIDE = 64


def scene(seed: int) -> Image.Image:
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (14, 14), dtype=np.uint8))
    return coarse.resize((640, 640), Image.Resampling.BICUBIC)


def window(image: Image.Image, box: tuple[float, float, float, float]) -> torch.Tensor:
    """What a (top, left, bottom, right) share of an image looks like, at 64 x 64."""
    top, left, bottom, right = (640 * share for share in box)
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX, (left, top, right, bottom))
    return torch.from_numpy(np.array(small, np.float32))[None]


def test_a_crop_is_found_where_it_was_cut() -> None:
    box = (0.03, 0.08, 0.97, 1.0)
    source, target = window(scene(0), (0, 0, 1, 1)), window(scene(0), box)
    start = Alignment.of_windows(torch.tensor([[0.025, 0.025, 0.975, 0.975]]))
    found = align(source, target, start, steps=10)
    truth = Alignment.of_windows(torch.tensor([box]))
    torch.testing.assert_close(found.scale, truth.scale, atol=0.005, rtol=0)
    torch.testing.assert_close(found.shift, truth.shift, atol=0.005, rtol=0)
    assert likeness(source, target, found) > 0.99
    assert likeness(source, target, found) > likeness(source, target, start)


def test_light_and_contrast_do_not_matter() -> None:
    whole = Alignment.of_windows(torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    source = window(scene(1), (0, 0, 1, 1))
    target = 0.5 * source + 60
    found = align(source, target, whole, steps=3)
    torch.testing.assert_close(found.scale, whole.scale, atol=1e-3, rtol=0)
    torch.testing.assert_close(likeness(source, target, found), torch.ones(1))


def test_other_scenes_stay_unlike_however_they_are_laid() -> None:
    whole = Alignment.of_windows(torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    source, target = window(scene(2), (0, 0, 1, 1)), window(scene(3), (0, 0, 1, 1))
    assert likeness(source, target, align(source, target, whole, steps=8)) < 0.6


def test_flat_images_are_no_fault() -> None:
    whole = Alignment.of_windows(torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    flat = torch.full((1, SIDE, SIDE), 9.0)
    found = align(flat, flat, whole, steps=3)
    assert torch.isfinite(found.scale).all()
    torch.testing.assert_close(likeness(flat, flat, found), torch.zeros(1))
