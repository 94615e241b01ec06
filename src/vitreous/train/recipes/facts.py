"""What a recipe may look at, and what several of them make of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.config import ModelConfig
from vitreous.model.pixel_kernel import follow_channels
from vitreous.model.variants import variant_config
from vitreous.train.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a recipe may look at.

    Attributes:
        data: Address of the data set.
        num_images: Training images, validation included where it is yet to be split off.
        num_classes: K.
        channels: C.
        image_size: (H, W) where all images share it.
        gpu: Whether a GPU will do the work.
        model: The variant that was asked for by name, at K classes and C channels.
        weights: Checkpoint to start from.
        trained: Architecture and preprocessing of that checkpoint.
    """

    data: str
    num_images: int
    num_classes: int
    channels: int
    image_size: tuple[int, int] | None = None
    gpu: bool = False
    model: ModelConfig | None = None
    weights: str | None = None
    trained: tuple[ModelConfig, Preprocessing] | None = None

    def steps(self, epochs: float, batch_size: int) -> int:
        """Of so many epochs."""
        return max(round(epochs * self.num_images / batch_size), 1)


Recipe = Callable[[Facts], TrainConfig]


def are_glyphs(facts: Facts) -> bool:
    """Greyscale images of at most 32 pixels: digits, letters, icons. A mirror would change them."""
    return facts.channels == 1 and facts.image_size is not None and max(facts.image_size) <= 32


def plain_rule(model: ModelConfig, crop_fraction: float = 1.0) -> Preprocessing:
    """The official preprocessing: pixels to [-1, 1]."""
    half = (0.5,) * model.channels
    return Preprocessing(
        size=model.image_size,
        channels=model.channels,
        crop_fraction=crop_fraction,
        mean=half,
        std=half,
    )


def asked_model(facts: Facts, otherwise: str) -> ModelConfig:
    """The variant that was asked for, or a recipe's own.

    Raises:
        UserError: Weights were given, from which the recipe does not start.
    """
    if facts.weights is not None:
        raise UserError(
            "this recipe starts from random weights: leave --weights out, or use finetune"
        )
    return facts.model or variant_config(
        otherwise, num_classes=facts.num_classes, channels=facts.channels
    )


def tuned_model(
    facts: Facts, recipe: str, size: tuple[int, int] | None = None
) -> tuple[ModelConfig, Preprocessing]:
    """A checkpoint's architecture with a new head, and its preprocessing, for this data.

    Args:
        facts: Give the checkpoint.
        recipe: Its name, for the message.
        size: (H, W) to train at; the checkpoint's where not given.

    Raises:
        UserError: There is no checkpoint.
    """
    if facts.trained is None:
        raise UserError(f"recipe {recipe} starts from weights: give --weights FILE, or use scratch")
    trained, rule = facts.trained
    size = size or trained.image_size
    model = replace(
        trained.with_classes(facts.num_classes), image_size=size, channels=facts.channels
    )
    rule = replace(
        rule,
        size=size,
        channels=facts.channels,
        mean=follow_channels(rule.mean, facts.channels),
        std=follow_channels(rule.std, facts.channels),
    )
    return model, rule
