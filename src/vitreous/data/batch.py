"""What travels from the loader to a model, and how a device makes it the model's input."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64, Real, UInt8
from torch import Tensor

from vitreous.data.constant import constant
from vitreous.data.preprocessing import Preprocessing

# Of a piece that a CPU normalises at once: a quarter of a megabyte.
_CACHED_NUMBERS = 1 << 16


@dataclass(frozen=True)
class Batch:
    """Images as bytes, with what belongs to them.

    Attributes:
        images: Pixels at the model's size.
        labels: Class indices, or multi-hot rows of images that may have several.
        index: Position of each image in its part.
        mask: False for rows that only fill the batch up; they count nowhere.
        movement: Affine matrices from output to input coordinates in [-1, 1], where training
            moves images; else None.
        colour: Factors of brightness, contrast and saturation, where training changes them, and
            the turn of the hue, where it does that too.
        erased: Top, left, height and width of the box that training erases; empty for none.
    """

    images: UInt8[Tensor, "B C H W"]
    labels: Int64[Tensor, " B"] | UInt8[Tensor, "B K"]
    index: Int64[Tensor, " B"]
    mask: Bool[Tensor, " B"]
    movement: Float[Tensor, "B 2 3"] | None = None
    colour: Float[Tensor, "B F"] | None = None
    erased: Int64[Tensor, "B 4"] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; copies overlap with work where memory is pinned."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def rows(self, chosen: Bool[Tensor, " B"]) -> "Batch":
        """Some of its images."""
        return self._each(lambda tensor: tensor[chosen])

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory; PyTorch's loader calls this by its name."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        tensors = vars(self).items()
        return replace(self, **{name: change(t) for name, t in tensors if isinstance(t, Tensor)})


def normalise(images: Real[Tensor, "B C H W"], rule: Preprocessing) -> Float[Tensor, "B C H W"]:
    """(x / 255 - mean) / std in float32, on the device that holds the images.

    Args:
        images: Pixels in [0, 255]: bytes, or floats where training changed their colours.
        rule: Gives mean and std.
    """
    mean, std = (constant(v, images.device).view(-1, 1, 1) for v in (rule.mean, rule.std))
    scale, shift = 1 / (255 * std), mean / std
    out = torch.empty(images.shape, device=images.device)
    # On a CPU in pieces, which stay in the cache from one pass to the next. Converted first: a
    # product of two types would be many times slower.
    piece = max(len(images), 1)
    if images.device.type == "cpu":
        piece = max(_CACHED_NUMBERS // max(images[0:1].numel(), 1), 1)
    for given, made in zip(images.split(piece), out.split(piece), strict=True):
        made.copy_(given).mul_(scale).sub_(shift)
    return out


def denormalise(images: Float[Tensor, "B C H W"], rule: Preprocessing) -> Float[Tensor, "B C H W"]:
    """Undo `normalise`: pixels in [0, 1], but for what augmentation has put outside."""
    mean, std = (constant(v, images.device).view(-1, 1, 1) for v in (rule.mean, rule.std))
    return images * std + mean
