"""How far patches are apart, said to the attention and not to the tokens."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vitreous.kept import keep
from vitreous.model.config import ViTConfig


@keep(8)
def offsets(patches: int, prefix: int, reach: int, device: torch.device) -> Int64[Tensor, "S S"]:
    """For each query p and key q, the row of the offset q - p, clipped to the reach.

    Rows 0 to 2k are the offsets -k to k; 2k + 1 is for pairs with a token of the prefix, which has
    no place.

    Args:
        patches: N, in raster order.
        prefix: Tokens before the patches.
        reach: k.
        device: Of the result.
    """
    with torch.inference_mode(False):
        places = torch.arange(patches, device=device)
        rows = (places - places[:, None]).clamp(-reach, reach) + reach
        whole = rows.new_full((prefix + patches,) * 2, 2 * reach + 1)
        whole[prefix:, prefix:] = rows
        return whole


class RelativePosition(nn.Module):
    """A learned key, and where asked a value, for each offset between two patches.

    To the logits q k^T / sqrt(d) is added q r^T / sqrt(d), r the key of the offset: an extra
    attention of the content query to the offsets (appendix D.4). With values, what a query reads of
    a key is its value and that of the offset (Shaw et al. 2018, arXiv 1803.02155, equations 3 and
    4). Each layer has its own table, which its heads share; the paper does not say.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        h, w = config.grid
        self.prefix = config.prefix
        self.reach = min(config.position_reach or h * w - 1, h * w - 1)
        width = config.head_dim
        self.keys = nn.Parameter(torch.empty(2 * self.reach + 1, width))
        self.values = None
        if config.position == "relative_values":
            self.values = nn.Parameter(torch.empty(2 * self.reach + 1, width))

    def reset_parameters(self) -> None:
        """Normal with deviation 0.02, as the table of the 1-D embedding."""
        for table in (self.keys, self.values):
            if table is not None:
                nn.init.normal_(table, std=0.02)

    def logits(self, q: Float[Tensor, "B k R d"], tokens: int) -> Float[Tensor, "B k R S"]:
        """What is added to the logits of the first R queries, scaled as they are."""
        scores = (q * q.shape[3] ** -0.5) @ _with_zero(self.keys, q.dtype).T  # (B, k, R, 2k+2)
        rows = self._rows(q.shape[2], tokens, q.device)
        return scores.gather(3, rows.expand(*q.shape[:2], -1, -1))

    def read(self, weights: Float[Tensor, "B k R S"]) -> Float[Tensor, "B k R d"]:
        """The mean of the offsets' values, weighted by attention; where there are values."""
        assert self.values is not None
        R, S = weights.shape[2:]
        rows = self._rows(R, S, weights.device).expand_as(weights)
        table = _with_zero(self.values, weights.dtype)
        # Weights of the same offset are added up first: no (R, S, d) is ever made.
        shares = weights.new_zeros(*weights.shape[:3], len(table)).scatter_add(3, rows, weights)
        return shares @ table

    def _rows(self, queries: int, tokens: int, device: torch.device) -> Int64[Tensor, "R S"]:
        return offsets(tokens - self.prefix, self.prefix, self.reach, device)[:queries]


def _with_zero(table: Float[Tensor, "n d"], dtype: torch.dtype) -> Float[Tensor, "m d"]:
    """A row of zeros behind, for pairs without an offset."""
    return torch.cat([table, table.new_zeros(1, table.shape[1])]).to(dtype)
