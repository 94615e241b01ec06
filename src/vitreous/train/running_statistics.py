"""BatchNorm's running statistics over a step: one for all ranks, and put back where it fails."""

import torch
from torch import Tensor, nn

from vitreous.model.batch_norm import BatchNorm
from vitreous.parallel.collect import average_over_ranks


class RunningStatistics:
    """The running means and variances of a model's BatchNorms that learn; none of most models.

    A step moves them in its forward pass, before it is known whether the step counts, and each
    rank moves its own by what it saw.
    """

    def __init__(self, model: nn.Module) -> None:
        norms = [
            module
            for module in model.modules()
            if isinstance(module, BatchNorm) and module.weight.requires_grad
        ]
        self._now = [t for norm in norms for t in (norm.running_mean, norm.running_var)]
        self._before: list[Tensor] = []

    def keep(self) -> None:
        """Remember them as they are."""
        if not self._before:
            self._before = [torch.empty_like(tensor) for tensor in self._now]
        _copy(self._before, self._now)

    def put_back(self) -> None:
        """Make them what they were at `keep`: the batch is tried again, or left out."""
        _copy(self._now, self._before)

    def agree(self) -> None:
        """Give all ranks the mean of theirs, so that all evaluate, save and average one model."""
        if self._now:
            average_over_ranks(self._now)


@torch.no_grad()
def _copy(to: list[Tensor], values: list[Tensor]) -> None:
    if to:
        torch._foreach_copy_(to, values)
