"""The running average of the weights, which is what a run hands over."""

import copy

import torch
from torch import Tensor, nn

from vitreous.parallel.collect import shard


class WeightAverage:
    """Exponential (Polyak) average of a model's parameters and of BatchNorm's running statistics.

    average <- decay * average + (1 - decay) * weights after each step, with a smaller decay at the
    start, (1 + step) / (10 + step), so that random initial values are soon forgotten.

    Running statistics are averaged like the weights, so that both look back over the same steps;
    the newest ones would be of maps that the average does not make.

    Source: the paper averages with 0.9999 for Table 2's ImageNet row; the start is TensorFlow's
    `ExponentialMovingAverage`; averaged statistics are torchvision's reference training's.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self._of: nn.Module | None = None
        self._pairs: tuple[list[Tensor], list[Tensor]] = ([], [])

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        if model is not self._of:  # walking over modules takes a millisecond
            self._of, self._pairs = model, (_shards(self.model), _shards(model))
        torch._foreach_lerp_(*self._pairs, 1 - decay)


def _shards(model: nn.Module) -> list[Tensor]:
    """The part of each parameter that is on this rank, and all buffers that are averaged."""
    tensors = (*model.parameters(), *(b for b in model.buffers() if b.is_floating_point()))
    return [shard(tensor.detach()) for tensor in tensors]
