"""What fully describes a ResNet of version 1, with BatchNorm."""

from dataclasses import dataclass
from typing import Literal, get_args

from vitreous.errors import UserError
from vitreous.model.residual_config import ResidualConfig

Block = Literal["bottleneck", "basic"]


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(ResidualConfig):
    """The architecture of a ResNet (He et al. 2015, arXiv 1512.03385), as torchvision has it.

    Attributes:
        kind: Which architecture; the tag of its JSON.
        name: What people call it; not read by the model.
        image_size: (H, W) it was made for, pixels; one number is a square. Any other works too.
        channels: C, of an image.
        num_classes: K; 0 leaves the head out, and the model returns its features.
        units: Residual units of each stage; every stage but the first halves the sides.
        stem_width: Channels of the root, and the width of the first stage's units, which doubles
            with each stage.
        root: `pooled`, a 7x7 convolution and a max-pool, each of stride 2; or `plain`, a 3x3
            convolution of stride 1, for images of few pixels.
        block: `bottleneck`, units of a 1x1, a 3x3 and a 1x1 convolution that give four times
            their width (ResNet-50 and deeper); or `basic`, of two 3x3 convolutions (ResNet-18
            and ResNet-34).
    """

    kind: str = "resnet"
    name: str = "ResNet"
    block: Block = "bottleneck"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block not in get_args(Block):
            raise UserError(f"model.block is {self.block!r}: choose {' or '.join(get_args(Block))}")

    @property
    def expansion(self) -> int:
        """Channels that a unit gives, in multiples of its own width."""
        return 4 if self.block == "bottleneck" else 1
