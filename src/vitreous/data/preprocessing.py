"""How an image becomes what a model was trained on: the rule that travels with the weights."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from vitreous.errors import UserError

Fit = Literal["crop", "squash"]
Interpolation = Literal["bicubic", "bilinear", "nearest"]


MAX_SIDE = 4096
"""Longest side of a model's input, pixels."""

_LEAST_CROP = 0.01


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """From decoded uint8 pixels to a model's input.

    Attributes:
        size: (H, W) of the model's input, pixels.
        channels: C, of an image.
        fit: `crop`: the shorter side to size / crop_fraction, then the centre of that size;
            `squash`: both sides to size, whatever the aspect ratio (vit_jax's test rule).
        crop_fraction: See `fit`; 1 keeps the whole shorter side.
        interpolation: Of the resize, antialiased.
        mean: Per channel, of pixels in [0, 1].
        std: Per channel, of pixels in [0, 1].
    """

    size: tuple[int, int]
    channels: int = 3
    fit: Fit = "crop"
    crop_fraction: float = 1.0
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        for field in ("size", "mean", "std"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if len(self.size) != 2 or not all(type(s) is int and 0 < s <= MAX_SIDE for s in self.size):
            raise UserError(
                f"preprocessing.size is {self.size}: give (H, W), whole pixels up to {MAX_SIDE}"
            )
        if type(self.channels) is not int or self.channels < 1:
            raise UserError(f"preprocessing.channels is {self.channels!r}: give 1 or more")
        for field, options in (("fit", get_args(Fit)), ("interpolation", get_args(Interpolation))):
            if getattr(self, field) not in options:
                raise UserError(
                    f"preprocessing.{field} is {getattr(self, field)!r}: "
                    f"choose {' or '.join(options)}"
                )
        if not isinstance(self.crop_fraction, int | float) or not (
            _LEAST_CROP <= self.crop_fraction <= 1
        ):
            raise UserError(
                f"preprocessing.crop_fraction is {self.crop_fraction}: give a number from "
                f"{_LEAST_CROP} to 1"
            )
        for field in ("mean", "std"):
            numbers = getattr(self, field)
            if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
                raise UserError(f"preprocessing.{field} is {numbers}: give finite numbers")
            if len(getattr(self, field)) != self.channels:
                raise UserError(
                    f"preprocessing.{field} has {len(getattr(self, field))} numbers for "
                    f"{self.channels} channels: give one a channel"
                )
        if not all(std > 0 for std in self.std):
            raise UserError(f"preprocessing.std is {self.std}: give numbers over 0")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """Read back what `dataclasses.asdict` wrote; an unknown field is refused by name."""
        known = {field.name for field in fields(cls)}
        for unknown in sorted(set(values) - known):
            raise UserError(f"unknown preprocessing field {unknown!r}")
        return cls(**values)
