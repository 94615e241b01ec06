"""Pixels of one image to the model's size: the exact test rule, and the training crop's."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vitreous.data.preprocessing import Interpolation, Preprocessing

Pixels = UInt8[np.ndarray, "H W C"]

# A resize whose centre is wanted makes at most this many times the centre's pixels: what is
# resized whole of a strip of 1 x 60,000 pixels would fill the memory.
_MOST_COVERED = 16


def fit_for_test(pixels: Pixels, rule: Preprocessing) -> UInt8[Tensor, "C H2 W2"]:
    """Resize as Pillow does, and crop the centre where the rule says so.

    Of an image so long that most would be cut off, the middle alone is resized: in bicubic a pixel
    may be two grey levels from Pillow's.

    Source: the paper's evaluation follows BiT (resize only, `fit="squash"`); `fit="crop"` is the
    usual resize of the shorter side and centre crop.
    """
    if keeps(pixels.shape[:2], rule):
        return _image(pixels)
    H, W = pixels.shape[:2]
    height, width = rule.size
    if rule.fit == "squash":
        return _resize_exactly(pixels, rule.size, rule.interpolation)
    scale = max(height / H, width / W) / rule.crop_fraction
    covering = max(round(H * scale), height), max(round(W * scale), width)
    top, left = (covering[0] - height) // 2, (covering[1] - width) // 2
    if covering[0] * covering[1] > _MOST_COVERED * height * width:
        rows, columns = H / covering[0], W / covering[1]
        window = (left * columns, top * rows, (left + width) * columns, (top + height) * rows)
        return _resize_exactly(pixels, rule.size, rule.interpolation, window)
    resized = _resize_exactly(pixels, covering, rule.interpolation)
    return resized[:, top : top + height, left : left + width]


def keeps(size: tuple[int, int], rule: Preprocessing) -> bool:
    """Whether the test rule leaves the pixels of an image of that (H, W) as they are."""
    return size == rule.size and (rule.fit == "squash" or rule.crop_fraction == 1)


def resize_crop(
    pixels: Pixels, size: tuple[int, int], interpolation: Interpolation
) -> UInt8[Tensor, "C H2 W2"]:
    """A training crop at another size: PyTorch's antialiased resize, several times Pillow's speed.

    A pass that overshoots black or white is cut off there, and Pillow may take rows and columns in
    the other order: a few pixels in a thousand differ by more than one grey level.

    Args:
        pixels: The crop as it was decoded (`vitreous.data.sample.read_crop`).
        size: (H2, W2).
        interpolation: Of the rule.
    """
    image = _image(pixels)
    if image.shape[1:] == size:
        return image
    if interpolation == "nearest":
        return F.interpolate(image[None], size, mode="nearest-exact")[0]
    return F.interpolate(image[None], size, mode=interpolation, antialias=True)[0]


def random_window(
    pixels: Pixels, rule: Preprocessing, enlarged: float, place: Sequence[float]
) -> UInt8[Tensor, "C H2 W2"]:
    """A window of the rule's size out of the whole image, resized to somewhat more.

    Source: BiT's transfer rule (arXiv 1912.11370, section 3.3): 160 pixels and a crop of 128, or
    512 and 480, whatever the aspect ratio.

    Args:
        pixels: Decoded image.
        rule: Gives size and interpolation.
        enlarged: Side of the resized image, as a multiple of the window's.
        place: Where the window lies in what is left free, down and to the right, in [0, 1).
    """
    height, width = rule.size
    H, W = round(height * enlarged), round(width * enlarged)
    resized = resize_crop(pixels, (H, W), rule.interpolation)
    top, left = int(place[0] * (H - height + 1)), int(place[1] * (W - width + 1))
    return resized[:, top : top + height, left : left + width]


def _resize_exactly(
    pixels: Pixels,
    size: tuple[int, int],
    interpolation: Interpolation,
    window: tuple[float, float, float, float] | None = None,
) -> UInt8[Tensor, "C H2 W2"]:
    """Pillow's own resize, of the whole image or of a window (left, top, right, bottom) of it."""
    C = pixels.shape[2]
    resample = Image.Resampling[interpolation.upper()]
    # Channels do not touch one another: any number of them goes plane by plane.
    planes = [pixels] if C == 3 else [pixels[:, :, channel] for channel in range(C)]
    resized = [
        np.array(Image.fromarray(np.ascontiguousarray(plane)).resize(size[::-1], resample, window))
        for plane in planes
    ]
    whole = resized[0] if C == 3 else np.stack(resized, axis=2)
    return torch.from_numpy(whole).permute(2, 0, 1)


def _image(pixels: Pixels) -> UInt8[Tensor, "C H W"]:
    return torch.from_numpy(np.require(pixels, requirements=("C", "W"))).permute(2, 0, 1)
