"""Masked patch prediction: self-supervision as the paper tried it (appendix B.1.2)."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, Real
from torch import Tensor, nn

from vitreous.data.batch import Batch
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.classifier import Classifier
from vitreous.model.head import Head
from vitreous.model.patch import cut_patches
from vitreous.model.vit import VisionTransformer
from vitreous.objective.augment import augment
from vitreous.objective.config import MaskedPatchConfig
from vitreous.objective.contract import Learner, Outcome, Task
from vitreous.objective.masking import corrupt, fill, hide, image_draws, pick
from vitreous.objective.patch_target import ColourTarget, PatchTarget, PixelTarget, show


@dataclass(frozen=True)
class MaskedTask(Task):
    """Images with some of their patches hidden.

    Attributes:
        images: Normalised and augmented pixels, whole.
        targets: Of the hidden patches.
        hidden: Their places.
        source: Whose embedding stands at each place; N is the mask's.
    """

    images: Float[Tensor, "B C H W"]
    targets: Real[Tensor, "B M T"]
    hidden: Int64[Tensor, "B M"]
    source: Int64[Tensor, "B N"]


class Reconstruction(NamedTuple):
    """What a model makes of what it sees, as pixels in [0, 1].

    Attributes:
        original: Images as they are.
        seen: What the model got of them; the mask is grey.
        told: The visible patches, and what the model says of the hidden ones.
    """

    original: Float[Tensor, "B C H W"]
    seen: Float[Tensor, "B C H W"]
    told: Float[Tensor, "B C H W"]


class MaskedLearner(Learner):
    """A Vision Transformer that is asked for hidden patches.

    Parts that only classification reads (a pool's own weights, a norm of the pooled vector, the
    layer before the head) keep their values and get no gradient.

    Attributes:
        backbone: The model, without a head.
        mask: What stands for a hidden patch.
    """

    backbone: VisionTransformer

    def __init__(self, backbone: VisionTransformer, width: int) -> None:
        super().__init__(backbone)
        device = next(backbone.parameters()).device
        self.mask = nn.Parameter(nn.init.normal_(torch.empty(width, device=device), std=0.02))
        for part in (backbone.pool, backbone.pooled_norm, backbone.pre_logits):
            part.requires_grad_(False)


class MaskedPatchLearner(MaskedLearner):
    """The whole sequence, corrupted, through the encoder; a linear layer reads hidden patches."""

    def __init__(self, backbone: VisionTransformer, outputs: int) -> None:
        width = backbone.config.width
        super().__init__(backbone, width)
        self.head = Head(width, outputs, device=self.mask.device)

    def forward(
        self,
        images: Float[Tensor, "B C H W"],
        hidden: Int64[Tensor, "B M"],
        source: Int64[Tensor, "B N"],
    ) -> Float[Tensor, "B M O"]:
        """Predictions for the hidden patches."""
        model = self.backbone
        grid = model.grid_of(images)
        patches = fill(model.patches(images), self.mask, source)
        x = model.encode(model.tokens(patches, grid), grid)[:, model.config.prefix :]  # (B, N, D)
        predictions: Tensor = self.head(pick(x, hidden))
        return predictions


class MaskedPatch:
    """Predict what the hidden half of the patches looks like; labels are not read.

    Args:
        config: Shares and the target.
        rule: Normalisation.
        patch: (height, width) of a patch, pixels.
    """

    def __init__(
        self, config: MaskedPatchConfig, rule: Preprocessing, patch: tuple[int, int]
    ) -> None:
        self.config, self.rule, self.patch = config, rule, patch
        self.target = self.build_target()

    def build_target(self) -> PatchTarget:
        """The one that the config names."""
        match self.config.target:
            case "colour":
                return ColourTarget(self.rule, self.patch, cells=1)
            case "colours":
                return ColourTarget(self.rule, self.patch, cells=4)
            case "pixels":
                return PixelTarget(self.rule, self.patch, scaled=False)

    def learner(self, model: Classifier) -> MaskedLearner:
        """The model with a mask and a linear layer."""
        assert isinstance(model, VisionTransformer)
        return MaskedPatchLearner(model, self.target.outputs)

    def prepare(self, batch: Batch, draw: np.random.Generator) -> MaskedTask:
        """Augment, and choose what is hidden of each image."""
        images = augment(batch, self.rule, draw)
        truth = self.target.of(images)
        patches = truth.shape[1]
        draws = image_draws(draw, batch.index)
        hidden = hide(draws, patches, self.config.share)
        source = corrupt(draws, hidden, patches, self.config.masked, self.config.swapped)
        hidden, source = hidden.to(images.device), source.to(images.device)
        truth = truth.take_along_dim(hidden[..., None], 1)
        return MaskedTask(images, truth, hidden, source)

    def measure(self, model: nn.Module, task: Task) -> Outcome:
        """The target's loss over hidden patches only."""
        assert isinstance(task, MaskedTask)
        told = model(task.images, task.hidden, task.source)
        return self.target.loss(told, task.targets)

    def reconstruct(self, model: nn.Module, task: MaskedTask) -> Reconstruction:
        """Images beside what the model saw of them and what it says of the rest."""
        told = model(task.images, task.hidden, task.source)
        H, W = task.images.shape[2:]
        grid = H // self.patch[0], W // self.patch[1]
        whole = cut_patches(task.images, self.patch)
        patches = self.target.patches(told, pick(whole, task.hidden))
        index = task.hidden[..., None].expand_as(patches)
        kinds = whole, fill(whole, _grey(self.rule, self.patch).to(whole), task.source)
        shown = (*kinds, whole.scatter(1, index, patches))
        return Reconstruction(*(show(one, self.rule, grid, self.patch) for one in shown))


def _grey(rule: Preprocessing, patch: tuple[int, int]) -> Float[Tensor, " F"]:
    mean, std = torch.tensor(rule.mean), torch.tensor(rule.std)
    return ((0.5 - mean) / std).repeat_interleave(math.prod(patch))
