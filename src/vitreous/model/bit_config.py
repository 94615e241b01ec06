"""What fully describes a BiT ResNet."""

from dataclasses import dataclass
from typing import Literal, get_args

from vitreous.errors import UserError
from vitreous.model.config import ModelConfig, Pooling

Root = Literal["pooled", "plain"]


@dataclass(frozen=True, kw_only=True)
class BiTConfig(ModelConfig):
    """The architecture of a BiT ResNet (Kolesnikov et al. 2020, arXiv 1912.11370).

    Attributes:
        kind: Which architecture; the tag of its JSON.
        name: What people call it; not read by the model.
        image_size: (H, W) it was made for, pixels; one number is a square. Any other works too.
        channels: C, of an image.
        num_classes: K; 0 leaves the head out, and the model returns its features.
        units: Residual units of each stage; every stage but the first halves the sides.
        width_factor: Multiplies every width: the 3 of R50x3.
        stem_width: Channels of the root, and of the bottlenecks of the first stage, which double
            with each stage; before `width_factor`.
        root: `pooled`, a 7x7 convolution and a max-pool, each of stride 2; or `plain`, a 3x3
            convolution of stride 1, for images of few pixels.
        norm_groups: Groups of every GroupNorm; divides stem_width x width_factor.
        kernel_eps: Added to the variance of a kernel when it is standardised; 1e-10 is the
            official code's, 1e-8 timm's.
    """

    kind: str = "bit"
    name: str = "BiT"
    units: tuple[int, ...] = (3, 4, 6, 3)
    width_factor: int = 1
    stem_width: int = 64
    root: Root = "pooled"
    norm_groups: int = 32
    kernel_eps: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "units", tuple(self.units))
        self._count("width_factor", "stem_width", "norm_groups", least=1)
        if not self.units or not all(isinstance(n, int) and n > 0 for n in self.units):
            raise UserError(f"model.units is {self.units}: give at least one unit a stage")
        if self.root not in get_args(Root):
            raise UserError(f"model.root is {self.root!r}: choose {' or '.join(get_args(Root))}")
        if not self.kernel_eps > 0:
            raise UserError(f"model.kernel_eps is {self.kernel_eps}: give a number over 0")
        if self.root_width % self.norm_groups:
            raise UserError(
                f"model.norm_groups {self.norm_groups} does not divide the {self.root_width} "
                "channels of the root: change it, model.stem_width or model.width_factor"
            )

    @property
    def root_width(self) -> int:
        """Channels of the root."""
        return self.stem_width * self.width_factor

    @property
    def width(self) -> int:
        """D, channels of the last stage: what the head reads."""
        return 4 * self.root_width * 2 ** (len(self.units) - 1)

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
