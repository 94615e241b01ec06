"""What training does to an image so that it is never the same twice."""

from dataclasses import dataclass

from vitreous.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of training images; the defaults change nothing.

    Attributes:
        crop_area: Range of the random crop's area, as a share of the image's (Inception crop,
            Szegedy et al. 2015); (1, 1) takes the plain test rule instead of a crop.
        crop_ratio: Range of the crop's width / height, drawn on a log scale.
        flip: Probability of a mirror image.
        rotate: Largest rotation either way, degrees.
        scale: Largest change of size either way, as a share (0.1: 0.9 to 1.1).
        translate: Largest shift either way along each axis, as a share of the side.
        brightness: Largest change of brightness either way, as a share.
        contrast: Largest change of contrast either way, as a share.
        saturation: Largest change of saturation either way, as a share.
        mixup: Alpha of mixup's Beta distribution (arXiv 1710.09412); 0 is off.
        cutmix: Alpha of cutmix's Beta distribution (arXiv 1905.04899); 0 is off.
        mix_probability: Probability that a batch is mixed at all; with both kinds on, each
            is taken half of the time.
    """

    crop_area: tuple[float, float] = (1.0, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    translate: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_probability: float = 1.0

    def __post_init__(self) -> None:
        for field, (low, high), least, most in (
            ("crop_area", self.crop_area, 0.0, 1.0),
            ("crop_ratio", self.crop_ratio, 0.0, float("inf")),
        ):
            if not least < low <= high <= most:
                raise UserError(f"augmentation.{field} is {low} to {high}: give 0 < low <= high")
            object.__setattr__(self, field, (low, high))
        for field in ("flip", "mix_probability", "translate"):
            if not 0 <= getattr(self, field) <= 1:
                raise UserError(f"augmentation.{field} is {getattr(self, field)}: give 0 to 1")
        if not 0 <= self.scale < 1:  # at 1 an image may shrink to nothing
            raise UserError(f"augmentation.scale is {self.scale}: give 0 or more, under 1")
        for field in ("rotate", "brightness", "contrast", "saturation", "mixup", "cutmix"):
            if not 0 <= getattr(self, field) < float("inf"):
                raise UserError(f"augmentation.{field} is {getattr(self, field)}: give 0 or more")

    @property
    def crops(self) -> bool:
        """Whether a random crop replaces the test rule."""
        return self.crop_area != (1.0, 1.0)

    @property
    def moves(self) -> bool:
        """Whether images are rotated, scaled or shifted."""
        return bool(self.rotate or self.scale or self.translate)

    @property
    def recolours(self) -> bool:
        """Whether brightness, contrast or saturation change."""
        return bool(self.brightness or self.contrast or self.saturation)
