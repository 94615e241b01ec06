"""The part that the configs of all models share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from vitreous.errors import UserError

Pooling = Literal["token", "mean", "mean_all", "map", "token_mean", "distilled"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ABC):
    """The part that the configs of all models share.

    Attributes:
        kind: Which architecture; the tag of its JSON.
        name: What people call it; not read by the model.
        image_size: (H, W) the model was made for, pixels; one number is a square.
        channels: C, of an image.
        num_classes: K; 0 leaves the head out, and the model returns its features.
    """

    kind: str = ""
    name: str = ""
    image_size: tuple[int, int] = (224, 224)
    channels: int = 3
    num_classes: int = 1000

    def __post_init__(self) -> None:
        (default,) = (field.default for field in fields(self) if field.name == "kind")
        if self.kind != default:
            raise UserError(f"model.kind is {self.kind!r}: a {type(self).__name__}'s is {default}")
        self._count("channels", least=1)
        if not counts(self.num_classes, least=0):
            raise UserError(f"model.num_classes is {self.num_classes!r}: give 0 (no head) or more")
        side = self.image_size
        size = (side, side) if isinstance(side, int) else tuple(side)
        if len(size) != 2 or not all(counts(side, least=1) for side in size):
            raise UserError(f"model.image_size is {side!r}: give (H, W) or one side, pixels")
        object.__setattr__(self, "image_size", size)

    @property
    @abstractmethod
    def side_step(self) -> int:
        """Pixels of which any multiple can be a side of an image."""

    @property
    @abstractmethod
    def pooling(self) -> Pooling:
        """The features that the head reads: one token, or the mean over the grid."""

    @property
    @abstractmethod
    def attention_layers(self) -> int:
        """Layers whose attention a recording can keep."""

    @abstractmethod
    def grid_of(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the features of an image of (H, W) pixels.

        Raises:
            UserError: The model cannot take that size.
        """

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) at `image_size`."""
        return self.grid_of(self.image_size)

    def with_classes(self, num_classes: int) -> Self:
        """The same architecture with a new head."""
        return replace(self, num_classes=num_classes)

    def check_channels(self, channels: int) -> None:
        """Refuse images of another number of channels than the model was made for."""
        if channels != self.channels:
            raise UserError(f"images have {channels} channels, the model takes {self.channels}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read back what `dataclasses.asdict` wrote; an unknown field is refused by name."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UserError(
                f"unknown model field {unknown[0]!r}: known are {', '.join(sorted(known))}"
            )
        return cls(**values)

    def _count(self, *names: str, least: int) -> None:
        for name in names:
            if not counts(getattr(self, name), least):
                raise UserError(
                    f"model.{name} is {getattr(self, name)!r}: give a whole number, at least "
                    f"{least}"
                )


def counts(value: object, least: int) -> bool:
    """True for a whole number that is large enough."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
