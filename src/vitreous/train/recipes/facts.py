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
        unsplit: Whether it is: the data have training images and none for validation.
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
    unsplit: bool = False
    image_size: tuple[int, int] | None = None
    gpu: bool = False
    model: ModelConfig | None = None
    weights: str | None = None
    trained: tuple[ModelConfig, Preprocessing] | None = None

    @property
    def papers_hold_out(self) -> float:
        """The share of the training images that the paper holds out to choose rates on.

        A tenth below 20,000 images (Pets, Flowers), 2 % below 500,000 (CIFAR), else 1 % (ImageNet).

        Source: the paper, appendix B.1.1.
        """
        return 0.1 if self.num_images < 20_000 else 0.02 if self.num_images < 500_000 else 0.01

    def steps(self, epochs: float, batch_size: int, hold_out: float = 0.0) -> int:
        """Of so many epochs of the images that are trained on.

        Args:
            epochs: Times that each is seen.
            batch_size: Images a step.
            hold_out: Share that validates where the data have no images for it.
        """
        trained = self.num_images * (1 - hold_out if self.unsplit else 1)
        return max(round(epochs * trained / batch_size), 1)


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
