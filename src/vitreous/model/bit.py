"""BiT ResNets: the convolutional baseline that the paper measures the Transformer against."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.model.bit_config import BiTConfig
from vitreous.model.residual import ResidualNetwork
from vitreous.model.standardized import CentredConv

_NORM_EPS = 1e-5


class PreActivationUnit(nn.Module):
    """Norm and ReLU before each of a 1x1, a 3x3 and a 1x1 convolution, and a residual (version 2).

    The 3x3 carries the stride. Where sides or channels change, the shortcut is a 1x1 convolution of
    the activated input; elsewhere it is the input itself.
    """

    def __init__(self, config: BiTConfig, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out, eps, groups = config.expansion * width, config.kernel_eps, config.norm_groups
        self.norm1 = nn.GroupNorm(groups, channels, _NORM_EPS)
        self.conv1 = CentredConv(channels, width, 1, eps=eps)
        self.norm2 = nn.GroupNorm(groups, width, _NORM_EPS)
        self.conv2 = CentredConv(width, width, 3, stride, eps=eps)
        self.norm3 = nn.GroupNorm(groups, width, _NORM_EPS)
        self.conv3 = CentredConv(width, out, 1, eps=eps)
        self.shortcut = None
        if channels != out or stride != 1:
            self.shortcut = CentredConv(channels, out, 1, stride, eps=eps)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C2 H2 W2"]:
        """Shortcut + the three convolutions."""
        y = F.relu(self.norm1(x), inplace=True)
        if self.shortcut is not None:
            x = self.shortcut(y)
        y = F.relu(self.norm2(self.conv1(y)), inplace=True)
        y = F.relu(self.norm3(self.conv2(y)), inplace=True)
        return x + self.conv3(y)


class BiT(ResidualNetwork):
    """root -> stages -> norm -> ReLU -> mean -> head.

    Source: Kolesnikov et al. 2020, "Big Transfer", arXiv 1912.11370; google-research/big_transfer,
    bit_pytorch/models.py: the max-pool sees a border of zeros, not of minus infinity.
    """

    config: BiTConfig

    def __init__(self, config: BiTConfig) -> None:
        side, stride = config.root_kernel
        pooled = nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(3, 2))
        super().__init__(
            config,
            CentredConv(config.channels, config.root_width, side, stride, eps=config.kernel_eps),
            pooled if config.root == "pooled" else nn.Identity(),
            partial(PreActivationUnit, config),
        )
        self.norm = nn.GroupNorm(config.norm_groups, config.width, _NORM_EPS)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """LeCun normal kernels, whose scale standardisation takes out, and a head of zeros."""
        for module in self.modules():
            if isinstance(module, CentredConv | nn.GroupNorm):
                module.reset_parameters()
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    @property
    def pixel_kernel(self) -> str:
        """The root's."""
        return "root.weight"

    def finish(self, x: Float[Tensor, "B D h w"]) -> Float[Tensor, "B D h w"]:
        """Put the last stage's output through the final norm and ReLU."""
        return F.relu(self.norm(x), inplace=True)
