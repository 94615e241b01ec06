"""What fully describes a BiT ResNet."""

from dataclasses import dataclass

from vitreous.errors import UserError
from vitreous.model.residual_config import ResidualConfig


@dataclass(frozen=True, kw_only=True)
class BiTConfig(ResidualConfig):
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
    width_factor: int = 1
    norm_groups: int = 32
    kernel_eps: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        self._count("width_factor", "norm_groups", least=1)
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
    def expansion(self) -> int:
        """Channels that a unit gives, in multiples of its bottleneck's."""
        return 4
