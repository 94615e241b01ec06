"""BiT ResNets: the convolutional baseline that the paper measures the Transformer against."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.classifier import Classifier
from vitreous.model.recording import Layers, Recording, resolve_layers
from vitreous.model.standardized import CentredConv

_NORM_EPS = 1e-5


class PreActivationUnit(nn.Module):
    """Norm and ReLU before each of a 1x1, a 3x3 and a 1x1 convolution, and a residual (version 2).

    The 3x3 carries the stride. Where sides or channels change, the shortcut is a 1x1 convolution of
    the activated input; elsewhere it is the input itself.
    """

    def __init__(self, config: BiTConfig, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out, eps, groups = 4 * width, config.kernel_eps, config.norm_groups
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


class BiT(Classifier):
    """root -> stages -> norm -> ReLU -> mean -> head.

    Source: Kolesnikov et al. 2020, "Big Transfer", arXiv 1912.11370; google-research/big_transfer,
    bit_pytorch/models.py: the max-pool sees a border of zeros, not of minus infinity.
    """

    config: BiTConfig

    def __init__(self, config: BiTConfig) -> None:
        super().__init__(config)
        channels, eps = config.root_width, config.kernel_eps
        self.pool: nn.Module = nn.Identity()
        if config.root == "pooled":
            self.root = CentredConv(config.channels, channels, 7, 2, eps=eps)
            self.pool = nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(3, 2))
        else:
            self.root = CentredConv(config.channels, channels, 3, eps=eps)
        self.stages = nn.Sequential()
        for stage, units in enumerate(config.units):
            width = config.root_width * 2**stage
            blocks = nn.Sequential()
            for unit in range(units):
                stride = 2 if stage and not unit else 1
                blocks.append(PreActivationUnit(config, channels, width, stride))
                channels = 4 * width
            self.stages.append(blocks)
        self.norm = nn.GroupNorm(config.norm_groups, channels, _NORM_EPS)
        self.head = nn.Linear(channels, config.num_classes) if config.num_classes else nn.Identity()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """LeCun normal kernels, whose scale standardisation takes out, and a head of zeros."""
        for module in self.modules():
            if isinstance(module, CentredConv | nn.GroupNorm):
                module.reset_parameters()
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    @property
    def blocks(self) -> list[nn.Module]:
        """The residual units of all stages."""
        return [unit for stage in self.stages for unit in stage.children()]

    @property
    def pixel_kernel(self) -> str:
        """The root's."""
        return "root.weight"

    def embed(
        self, images: Float[Tensor, "B C H W"], recording: Recording | None = None
    ) -> Float[Tensor, "B R"]:
        """The mean of the last map (B, D); images may have any size.

        Raises:
            UserError: Images of another number of channels, or a recording.
        """
        if recording is not None:
            raise UserError(
                f"{self.config.name} is a ResNet and has no attention or tokens to record: ask a "
                "Vision Transformer"
            )
        self.config.check_channels(images.shape[1])
        x = self.stages(self.pool(self.root(images)))
        return F.relu(self.norm(x), inplace=True).mean((2, 3))

    def features(
        self, images: Float[Tensor, "B C H W"], layers: Layers = (-1,), *, norm: bool = False
    ) -> list[Float[Tensor, "B D2 h2 w2"]]:
        """What stages make of the images, as detection and segmentation read it.

        >>> maps = model.features(images, layers="all")  # of a stride of 4, 8, 16 and 32

        Args:
            images: Normalised pixels, of any size.
            layers: Stages, counted from 0, or from the end where negative; or `all`.
            norm: Put the last one through the final norm and ReLU, as it is before the head.

        Returns:
            One map per stage, in the order asked for.

        Raises:
            UserError: No such stage, or images of another number of channels.
        """
        asked = resolve_layers(layers, len(self.stages), "give features")
        self.config.check_channels(images.shape[1])
        maps = []
        x = self.pool(self.root(images))
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        if norm:
            maps[-1] = F.relu(self.norm(x), inplace=True)
        return [maps[layer] for layer in asked]
