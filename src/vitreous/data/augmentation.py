"""What training does to an image so that it is never the same twice."""

from dataclasses import dataclass
from typing import Literal, get_args

from vitreous.errors import UserError

Policy = Literal["none", "randaugment", "trivialaugment", "threeaugment"]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of training images; the defaults change nothing.

    Attributes:
        crop_area: Range of the random crop's area, as a share of the image's (Inception crop,
            Szegedy et al. 2015); (1, 1) takes the plain test rule instead of a crop.
        crop_ratio: Range of the crop's width / height, drawn on a log scale.
        window: Without a crop: the side to which the whole image is resized, as a multiple of the
            model's, before a window of the model's size is taken at random (BiT: 160 and 128, or
            512 and 480); 1 is off.
        flip: Probability of a mirror image.
        rotate: Largest rotation either way, degrees.
        scale: Largest change of size either way, as a share (0.1: 0.9 to 1.1).
        translate: Largest shift either way along each axis, as a share of the side.
        brightness: Largest change of brightness either way, as a share.
        contrast: Largest change of contrast either way, as a share.
        saturation: Largest change of saturation either way, as a share.
        hue: Largest turn of the colour circle either way, as a share of it; 0.5 is any hue.
        policy: Operations on single images: `randaugment` (arXiv 1909.13719), `trivialaugment`
            (its wide ranges, arXiv 2103.10158) or `threeaugment` (DeiT III, arXiv 2204.07118).
        operations: How many RandAugment draws for an image.
        magnitude: Of RandAugment's operations; 10 is the whole of their ranges.
        erase: Probability that a box of the image becomes noise (arXiv 1708.04896).
        erase_area: Range of that box's area, as a share of the image's.
        mixup: Alpha of mixup's Beta distribution (arXiv 1710.09412); 0 is off.
        cutmix: Alpha of cutmix's Beta distribution (arXiv 1905.04899); 0 is off.
        mix_probability: Probability that a batch is mixed at all; with both kinds on, each
            is taken half of the time.
        repeats: Times each image comes in a row, each time drawn anew (arXiv 1901.09335); a
            round through the data is so many times as long.
    """

    crop_area: tuple[float, float] = (1.0, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    window: float = 1.0
    flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    translate: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    policy: Policy = "none"
    operations: int = 2
    magnitude: float = 9.0
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 1 / 3)
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_probability: float = 1.0
    repeats: int = 1

    def __post_init__(self) -> None:
        for field, (low, high), least, most in (
            ("crop_area", self.crop_area, 0.0, 1.0),
            ("crop_ratio", self.crop_ratio, 0.0, float("inf")),
            ("erase_area", self.erase_area, 0.0, 1.0),
        ):
            if not least < low <= high <= most:
                raise UserError(f"augmentation.{field} is {low} to {high}: give 0 < low <= high")
            object.__setattr__(self, field, (low, high))
        for field in ("flip", "mix_probability", "translate", "erase"):
            if not 0 <= getattr(self, field) <= 1:
                raise UserError(f"augmentation.{field} is {getattr(self, field)}: give 0 to 1")
        if not 0 <= self.scale < 1:  # at 1 an image may shrink to nothing
            raise UserError(f"augmentation.scale is {self.scale}: give 0 or more, under 1")
        for field in ("rotate", "brightness", "contrast", "saturation", "mixup", "cutmix"):
            if not 0 <= getattr(self, field) < float("inf"):
                raise UserError(f"augmentation.{field} is {getattr(self, field)}: give 0 or more")

        if not 0 <= self.hue <= 0.5:
            raise UserError(f"augmentation.hue is {self.hue}: give 0 to 0.5")
        if self.policy not in get_args(Policy):
            raise UserError(
                f"augmentation.policy is {self.policy!r}: choose {', '.join(get_args(Policy))}"
            )
        if not 0 <= self.magnitude <= 30:
            raise UserError(f"augmentation.magnitude is {self.magnitude}: give 0 to 30")
        for field in ("operations", "repeats"):
            if not 1 <= getattr(self, field) <= 100:
                raise UserError(f"augmentation.{field} is {getattr(self, field)}: give 1 to 100")
        if not 1 <= self.window <= 4:
            raise UserError(f"augmentation.window is {self.window}: give 1 to 4")
        if self.window > 1 and self.crops:
            raise UserError("augmentation.window and crop_area are two ways to crop: give one")

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
        """Whether brightness, contrast, saturation or hue change."""
        return bool(self.brightness or self.contrast or self.saturation or self.hue)
