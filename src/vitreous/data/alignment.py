"""Two thumbnails laid over one another by shifting and stretching, and how alike they then are."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

# Largest change of a scale or a shift in one step, and at all.
_STEP, _SCALE, _SHIFT = 0.05, 0.25, 0.25
# Neighbourhoods, pixels of a thumbnail: noise under the first is smoothed away, and what is even
# over the second is no detail.
_FINE, _COARSE = 3, 9


@dataclass(frozen=True)
class Alignment:
    """For each pair: at target position x, y in [-1, 1], the source is read at scale * x + shift.

    Attributes:
        scale: Along x and y.
        shift: Along x and y.
    """

    scale: Float[Tensor, "pairs 2"]
    shift: Float[Tensor, "pairs 2"]

    @classmethod
    def of_windows(cls, windows: Float[Tensor, "pairs 4"]) -> "Alignment":
        """Targets that show a window (top, left, bottom, right; shares) of their sources."""
        top, left, bottom, right = windows.float().unbind(1)
        scale = torch.stack([right - left, bottom - top], 1)
        return cls(scale, torch.stack([right + left, bottom + top], 1) - 1)

    def __getitem__(self, rows: Int64[Tensor, " some"]) -> "Alignment":
        return Alignment(self.scale[rows], self.shift[rows])


def align(
    source: Float[Tensor, "pairs side side"],
    target: Float[Tensor, "pairs side side"],
    start: Alignment,
    steps: int,
) -> Alignment:
    """Improve alignments by Gauss-Newton steps of least squares.

    A step solves, over the pixels where both images are, target = gain * source + offset for
    gain and offset and for small changes of the two scales and the two shifts at once.
    """
    scale, shift = start.scale, start.shift
    place = _places(source.shape[-1])
    for _ in range(steps):
        seen, covered = _read(source, Alignment(scale, shift))
        by_y, by_x = torch.gradient(seen, spacing=2 / len(place), dim=(1, 2))
        moves = (by_x * place, by_y * place[:, None], by_x, by_y)
        terms = torch.stack([seen, torch.ones_like(seen), *moves], 1).flatten(2)  # (pairs, 6, px)
        weighted = terms * covered.flatten(1)[:, None]
        products = weighted @ terms.transpose(1, 2)
        # Where nothing tells one movement from another, it stays small.
        ridge = 1e-3 * (products.diagonal(dim1=1, dim2=2) + 1)
        right = weighted @ target.flatten(1)[..., None]
        answer = torch.linalg.solve(products + torch.diag_embed(ridge), right)[..., 0]
        change = (answer[:, 2:] / answer[:, :1].clamp(min=0.3)).clamp(-_STEP, _STEP)
        shift = (shift + scale * change[:, 2:]).clamp(-_SHIFT, _SHIFT)
        scale = (scale * (1 + change[:, :2])).clamp(1 - _SCALE, 1 + _SCALE)
    return Alignment(scale, shift)


def likeness(
    source: Float[Tensor, "pairs side side"],
    target: Float[Tensor, "pairs side side"],
    alignment: Alignment,
) -> Float[Tensor, " pairs"]:
    """Correlation, -1 to 1, of the detail of aligned images, over the pixels where both are.

    Detail is the mean over 3 x 3 pixels less the mean over 9 x 9: two photographs of a flower
    before a wall share all that is coarser.
    """
    seen, covered = _read(source, alignment)
    count = covered.sum((1, 2), keepdim=True)

    def centred(image: Tensor) -> Tensor:
        detail = (_mean(image, _FINE) - _mean(image, _COARSE)) * covered
        return (detail - detail.sum((1, 2), keepdim=True) / count) * covered

    a, b = centred(seen), centred(target)
    power = (a * a).sum((1, 2)) * (b * b).sum((1, 2))
    return (a * b).sum((1, 2)) / power.sqrt().clamp(min=1e-3)


def _read(source: Tensor, alignment: Alignment) -> tuple[Tensor, Tensor]:
    """The source where the target's pixels lie, and 1 where it has any, else 0."""
    side = source.shape[-1]
    at = alignment.scale[:, :, None] * _places(side) + alignment.shift[:, :, None]  # (pairs, 2, px)
    x, y = at[:, 0, None, :].expand(-1, side, -1), at[:, 1, :, None].expand(-1, -1, side)
    seen = F.grid_sample(
        source[:, None], torch.stack([x, y], 3), padding_mode="border", align_corners=False
    )[:, 0]
    return seen, ((x.abs() <= 1) & (y.abs() <= 1)).float()


def _places(side: int) -> Tensor:
    """Centres of pixels, in [-1, 1]."""
    return (torch.arange(side) + 0.5) * (2 / side) - 1


def _mean(image: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(F.pad(image[:, None], (side // 2,) * 4, mode="replicate"), side, stride=1)[
        :, 0
    ]
