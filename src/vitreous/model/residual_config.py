"""What the configs of all ResNets share: a root, then stages of residual units."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

from vitreous.errors import UserError
from vitreous.model.config import ModelConfig, Pooling

Root = Literal["pooled", "plain"]


@dataclass(frozen=True, kw_only=True)
class ResidualConfig(ModelConfig):
    """The sizes of a ResNet, whatever its units are made of.

    Attributes:
        units: Residual units of each stage; every stage but the first halves the sides.
        stem_width: Channels of the root; the units' widths follow from it and double with each
            stage.
        root: `pooled`, a 7x7 convolution and a max-pool, each of stride 2; or `plain`, a 3x3
            convolution of stride 1, for images of few pixels.
    """

    units: tuple[int, ...] = (3, 4, 6, 3)
    stem_width: int = 64
    root: Root = "pooled"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "units", tuple(self.units))
        self._count("stem_width", least=1)
        if not self.units or not all(isinstance(n, int) and n > 0 for n in self.units):
            raise UserError(f"model.units is {self.units}: give at least one unit a stage")
        if self.root not in get_args(Root):
            raise UserError(f"model.root is {self.root!r}: choose {' or '.join(get_args(Root))}")

    @property
    def root_width(self) -> int:
        """Channels of the root."""
        return self.stem_width

    @property
    def root_kernel(self) -> tuple[int, int]:
        """Side and stride of the root's convolution."""
        return (7, 2) if self.root == "pooled" else (3, 1)

    @property
    @abstractmethod
    def expansion(self) -> int:
        """Channels that a unit gives, in multiples of its own width."""

    @property
    def width(self) -> int:
        """D, channels of the last stage: what the head reads."""
        return self.expansion * self.root_width * 2 ** (len(self.units) - 1)

    @property
    def pooling(self) -> Pooling:
        """The head reads the mean of the last map."""
        return "mean"

    @property
    def side_step(self) -> int:
        """Pixels that a side of an image must be a multiple of: any will do."""
        return 1

    @property
    def attention_layers(self) -> int:
        """There is no attention."""
        return 0

    def grid_of(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the last map: every halving rounds up."""
        halvings = len(self.units) - 1 + (2 if self.root == "pooled" else 0)
        height, width = (-(-side // 2**halvings) for side in image_size)
        return height, width
