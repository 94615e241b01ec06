"""Training on some of the patches of each image."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PatchDropout(nn.Module):
    """Keep a random set of each image's patches in training, and all of them otherwise.

    Patches have their positions by then. The cost of a step falls with the share that is kept.

    Source: Liu et al. 2022, "PatchDropout", arXiv 2208.07220.

    Args:
        rate: Share of the patches that is left out, rounded; one patch at least stays.
        prefix: Tokens before the patches, which always stay.
    """

    def __init__(self, rate: float, prefix: int) -> None:
        super().__init__()
        self.rate = rate
        self.prefix = prefix

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B R D"]:
        """The prefix and the kept patches, in their order."""
        if not self.training:
            return x
        B, S, D = x.shape
        patches = S - self.prefix
        kept = max(patches - round(self.rate * patches), 1)
        places = torch.rand(B, patches, device=x.device).topk(kept).indices.sort().values
        chosen = x[:, self.prefix :].gather(1, places[..., None].expand(-1, -1, D))  # (B, kept, D)
        return torch.cat([x[:, : self.prefix], chosen], dim=1)
