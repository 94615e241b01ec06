"""ResNets of version 1, with BatchNorm: the classic that Vision Transformers are compared with."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.model.batch_norm import BatchNorm, NormedConv
from vitreous.model.residual import ResidualNetwork
from vitreous.model.resnet_config import ResNetConfig


class PostActivationUnit(nn.Module):
    """Convolutions with BatchNorm beside a shortcut, and a ReLU of their sum (version 1).

    A 3x3 convolution carries the stride: the bottleneck's middle one, which He et al. gave to the
    first 1x1 (torchvision's choice is known as version 1.5), or the basic unit's first one. Where
    sides or channels change, the shortcut is a 1x1 convolution with BatchNorm.
    """

    def __init__(self, config: ResNetConfig, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = config.expansion * width
        if config.block == "bottleneck":
            self.branch = nn.Sequential(
                NormedConv(channels, width, 1),
                NormedConv(width, width, 3, stride),
                NormedConv(width, out, 1, active=False),
            )
        else:
            self.branch = nn.Sequential(
                NormedConv(channels, width, 3, stride),
                NormedConv(width, out, 3, active=False),
            )
        self.shortcut: nn.Module = nn.Identity()
        if channels != out or stride != 1:
            self.shortcut = NormedConv(channels, out, 1, stride, active=False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C2 H2 W2"]:
        """ReLU(convolutions + shortcut)."""
        return F.relu(self.branch(x) + self.shortcut(x), inplace=True)


class ResNet(ResidualNetwork):
    """root -> stages -> mean -> head.

    Source: He et al. 2015, "Deep Residual Learning", arXiv 1512.03385; torchvision 0.28,
    models/resnet.py.
    """

    config: ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(
            config,
            NormedConv(config.channels, config.root_width, *config.root_kernel),
            nn.MaxPool2d(3, 2, 1) if config.root == "pooled" else nn.Identity(),
            partial(PostActivationUnit, config),
        )

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """torchvision's: He normal kernels, norms that pass on, a uniform head (torch's own)."""
        for module in self.modules():
            if isinstance(module, NormedConv | BatchNorm | nn.Linear):
                module.reset_parameters()

    @property
    def pixel_kernel(self) -> str:
        """The root's."""
        return "root.conv.weight"
