"""What is to be told of a patch that cannot be seen: its colours, or its pixels."""

import math
from typing import Protocol

import torch
from jaxtyping import Float, Int64, Real
from torch import Tensor
from torch.nn import functional as F

from vitreous.data.batch import denormalise, normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.patch import cut_patches, join_patches
from vitreous.objective.contract import Outcome

_LEVELS = 8  # 3 bits a channel


class PatchTarget(Protocol):
    """One kind of target.

    Attributes:
        outputs: Numbers that the prediction for a patch has.
    """

    outputs: int

    def of(self, images: Float[Tensor, "B C H W"]) -> Real[Tensor, "B N T"]:
        """The truth for every patch of normalised images."""

    def loss(self, told: Float[Tensor, "B M O"], truth: Real[Tensor, "B M T"]) -> Outcome:
        """Mean over patches, and what else can be said."""

    def patches(
        self, told: Float[Tensor, "B M O"], seen: Float[Tensor, "B M F"]
    ) -> Float[Tensor, "B M F"]:
        """A prediction as normalised pixels; `seen` are the patch's own, for their scale."""


class ColourTarget:
    """Mean colours of 3 bits a channel, 8^C classes: of the patch, or of each cell of it.

    Source: appendix B.1.2, targets 1 (one cell, 512 classes) and 2 (4 x 4 cells). The colour's
    levels are even parts of the range of a pixel; the paper does not say.

    Args:
        rule: Normalisation.
        patch: (height, width) of a patch, pixels.
        cells: Along a side of the patch.
    """

    def __init__(self, rule: Preprocessing, patch: tuple[int, int], cells: int) -> None:
        self.rule, self.patch, self.cells = rule, patch, cells
        self.classes = _LEVELS**rule.channels
        self.outputs = cells**2 * self.classes

    def of(self, images: Float[Tensor, "B C H W"]) -> Int64[Tensor, "B N T"]:
        """One class a cell, row by row; the first channel counts least."""
        pixels = denormalise(images, self.rule).clamp(0, 1)
        patches = cut_patches(pixels, self.patch).unflatten(2, (-1, *self.patch))
        means = F.adaptive_avg_pool2d(patches.flatten(0, 1), self.cells)  # (B*N, C, c, c)
        levels = (means * _LEVELS).long().clamp(max=_LEVELS - 1)
        worth = _LEVELS ** torch.arange(levels.shape[1], device=levels.device)
        codes = (levels * worth.view(-1, 1, 1)).sum(1)  # (B*N, c, c)
        return codes.flatten(1).unflatten(0, patches.shape[:2])

    def loss(self, told: Float[Tensor, "B M O"], truth: Int64[Tensor, "B M T"]) -> Outcome:
        """Cross-entropy in nats, and the share of cells whose class is told."""
        logits = told.float().view(-1, self.classes)
        classes = truth.reshape(-1)
        right = logits.detach().argmax(1) == classes
        # Not `accuracy`, which is of labels.
        measures = {"colour_accuracy": right.float().mean()}
        return Outcome(F.cross_entropy(logits, classes), measures)

    def patches(
        self, told: Float[Tensor, "B M O"], seen: Float[Tensor, "B M F"]
    ) -> Float[Tensor, "B M F"]:
        """Each cell in the middle of the likeliest class."""
        codes = told.unflatten(2, (-1, self.classes)).argmax(3)  # (B, M, T)
        worth = _LEVELS ** torch.arange(self.rule.channels, device=codes.device)
        levels = codes[:, :, None] // worth.view(-1, 1) % _LEVELS  # (B, M, C, T)
        colours = (levels.flatten(0, 1).unflatten(2, (self.cells, -1)) + 0.5) / _LEVELS
        patches = F.interpolate(colours, size=self.patch, mode="nearest")
        shown = normalise(patches * 255, self.rule)
        return shown.flatten(1).unflatten(0, told.shape[:2])


class PixelTarget:
    """All pixels of the patch, by their squared error.

    Source: appendix B.1.2, target 3; of patches brought to mean 0 and variance 1, He et al. 2022,
    "Masked Autoencoders Are Scalable Vision Learners", arXiv 2111.06377, section 3.

    Args:
        rule: Normalisation.
        patch: (height, width) of a patch, pixels.
        scaled: Whether each patch is brought to its own mean and deviation.
    """

    def __init__(self, rule: Preprocessing, patch: tuple[int, int], *, scaled: bool) -> None:
        self.patch, self.scaled = patch, scaled
        self.outputs = rule.channels * math.prod(patch)

    def of(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N F"]:
        """Normalised pixels."""
        patches = cut_patches(images, self.patch)
        if not self.scaled:
            return patches
        mean, deviation = _scale(patches)
        return (patches - mean) / deviation

    def loss(self, told: Float[Tensor, "B M F"], truth: Float[Tensor, "B M F"]) -> Outcome:
        """Mean squared error a number."""
        return Outcome(F.mse_loss(told.float(), truth), {})

    def patches(
        self, told: Float[Tensor, "B M F"], seen: Float[Tensor, "B M F"]
    ) -> Float[Tensor, "B M F"]:
        """As told, at the patch's own mean and deviation where targets are scaled."""
        if not self.scaled:
            return told.float()
        mean, deviation = _scale(seen)
        return told.float() * deviation + mean


def _scale(patches: Float[Tensor, "B M F"]) -> tuple[Float[Tensor, "B M 1"], ...]:
    """Mean and deviation of each; the addend is the official code's."""
    variance, mean = torch.var_mean(patches, dim=2, keepdim=True)
    return mean, (variance + 1e-6).sqrt()


def show(
    patches: Float[Tensor, "B N F"],
    rule: Preprocessing,
    grid: tuple[int, int],
    patch: tuple[int, int],
) -> Float[Tensor, "B C H W"]:
    """Normalised patches as images of pixels in [0, 1]."""
    return denormalise(join_patches(patches, grid, patch), rule).clamp(0, 1)
