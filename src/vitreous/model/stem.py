"""The ResNet in front of a hybrid's patches (paper, section 3.1, "Hybrid Architecture")."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.model.config import ViTConfig
from vitreous.model.standardized import StandardizedConv


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)


class BottleneckUnit(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a residual, activated after the sum (version 1 of ResNet)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.conv1, self.norm1 = StandardizedConv(channels, width, 1), _norm(width)
        self.conv2, self.norm2 = StandardizedConv(width, width, 3, stride), _norm(width)
        self.conv3, self.norm3 = StandardizedConv(width, out, 1), _norm(out)
        self.shortcut = nn.Sequential()
        if channels != out or stride != 1:
            self.shortcut = nn.Sequential(StandardizedConv(channels, out, 1, stride), _norm(out))

    def reset_parameters(self) -> None:
        """The last norm starts at zero, so that the unit starts as its shortcut."""
        nn.init.zeros_(self.norm3.weight)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C2 H2 W2"]:
        """relu(shortcut(x) + the three convolutions)."""
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.shortcut(x) + self.norm3(self.conv3(y)))


class ResNetStem(nn.Module):
    """Root and stages of a ResNet; every stage but the first halves the sides.

    The paper's R50 at stride 32 has stages of 3, 4, 6 and 3 units; at stride 16 the fourth stage
    is folded into the third: 3, 4, 9. Without stages, only the root stays.

    Source: vit_jax/models_vit.py and models_resnet.py.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        assert config.stem is not None
        channels = config.stem_width
        self.root = StandardizedConv(config.channels, channels, 7, 2)
        self.root_norm = _norm(channels)
        self.stages = nn.ModuleList()
        for stage, units in enumerate(config.stem):
            width = config.stem_width * 2**stage
            blocks = nn.Sequential()
            for unit in range(units):
                stride = 2 if stage and not unit else 1
                blocks.append(BottleneckUnit(channels, width, stride))
                channels = 4 * width
            self.stages.append(blocks)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C2 H2 W2"]:
        """The feature map at `config.stem_stride`."""
        x = F.relu(self.root_norm(self.root(images)))
        # SAME padding of the pool is at the far end; activations are never below zero.
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)
        for stage in self.stages:
            x = stage(x)
        features: Tensor = x
        return features
