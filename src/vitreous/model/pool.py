"""From tokens to one vector: what the head reads."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.model.attention import Attention
from vitreous.model.config import ViTConfig
from vitreous.model.encoder import MLP


class ClassTokenPool(nn.Module):
    """The class token (equation 4): the head reads one token, so the last block makes only one."""

    read = 1

    def forward(self, x: Float[Tensor, "B R D"]) -> Float[Tensor, "B D"]:
        """The first token."""
        return x[:, 0]


class DistilledPool(nn.Module):
    """The class token and, behind it, DeiT's distillation token: one for each of two heads."""

    read = 2

    def forward(self, x: Float[Tensor, "B R D"]) -> Float[Tensor, "B E"]:
        """The first two tokens, side by side."""
        return x[:, :2].flatten(1)


class MeanPool(nn.Module):
    """The mean of the patches (appendix D.3); a class token, where there is one, is left out."""

    read = None

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B D"]:
        """The mean over patch tokens."""
        return x[:, self.prefix :].mean(1)


class WholeMeanPool(MeanPool):
    """The mean of the class token and the patches together; registers are left out.

    Source: vit-pytorch before release 1.16, vit_pytorch/vit.py, `pool = 'mean'`.
    """

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B D"]:
        """Average one vector an image over N + 1 tokens."""
        if self.prefix > 1:
            x = torch.cat([x[:, :1], x[:, self.prefix :]], dim=1)
        return x.mean(1)


class TokenAndMeanPool(MeanPool):
    """The class token and, behind it, the mean of the patches, as DINOv2's linear heads read."""

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B E"]:
        """Both, side by side."""
        return torch.cat([x[:, 0], super().forward(x)], dim=1)


class AttentionPool(nn.Module):
    """What a learned probe takes from the patches (MAP), and an MLP on it.

    y = attention(probe, patches); y + mlp(norm(y)).

    Source: Zhai et al. 2022, "Scaling Vision Transformers", arXiv 2106.04560, section 2;
    google-research/big_vision, models/vit.py, MAPHead.
    """

    read = None

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.prefix = config.prefix
        self.probe = nn.Parameter(torch.empty(config.width))
        self.attention = Attention(config)
        self.norm = nn.LayerNorm(config.width, config.norm_eps)
        self.mlp = MLP(config)

    def reset_parameters(self) -> None:
        """Xavier uniform, as the official code."""
        nn.init.xavier_uniform_(self.probe.view(1, -1))

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B D"]:
        """Attend to the patches, once."""
        probe = self.probe.to(x.dtype).expand(len(x), 1, -1)
        y = self.attention.forward_across(probe, x[:, self.prefix :])  # (B, 1, D)
        pooled: Tensor = y + self.mlp(self.norm(y))
        return pooled[:, 0]


Pool = ClassTokenPool | DistilledPool | MeanPool | AttentionPool


def build_pool(config: ViTConfig) -> Pool:
    """The pool that the config names."""
    match config.pooling:
        case "token":
            return ClassTokenPool()
        case "distilled":
            return DistilledPool()
        case "mean":
            return MeanPool(config.prefix)
        case "mean_all":
            return WholeMeanPool(config.prefix)
        case "token_mean":
            return TokenAndMeanPool(config.prefix)
        case "map":
            return AttentionPool(config)
