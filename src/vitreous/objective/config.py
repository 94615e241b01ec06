"""What a run learns from: one frozen record an objective, told apart by its kind."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from vitreous.errors import UserError
from vitreous.model.config import ModelConfig, ViTConfig

Target = Literal["colour", "colours", "pixels"]
Answers = Literal["soft", "hard"]


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Classification by labels; the other objectives are made from this one.

    Attributes:
        kind: Which objective; the tag of its JSON.
    """

    kind: str = "classification"

    @property
    def supervised(self) -> bool:
        """Whether it needs labels, and gives a model with a head."""
        return True

    def check(self, model: ModelConfig) -> None:
        """Refuse a model that cannot be trained so.

        Raises:
            UserError: Names the field and the fix.
        """


@dataclass(frozen=True, kw_only=True)
class MaskingConfig(ObjectiveConfig):
    """What the objectives share that hide patches.

    Attributes:
        kind: Which objective; the tag of its JSON.
        share: Of the patches of each image that are hidden, to the nearest patch.
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        _check_shares(self, "share")
        if not 0 < self.share < 1:
            raise UserError(f"objective.share is {self.share}: give a share over 0 and under 1")

    @property
    def supervised(self) -> bool:
        """Labels are not read, and the model has no head."""
        return False

    def check(self, model: ModelConfig) -> None:
        """Refuse all but a Vision Transformer of two patches or more, without a head."""
        if not isinstance(model, ViTConfig):
            raise UserError(
                f"objective {self.kind} hides patches and {model.name} has none: give --model of "
                "a ViT"
            )
        if model.num_classes:
            raise UserError(
                f"objective {self.kind} reads no labels: model.num_classes is "
                f"{model.num_classes}, give 0"
            )
        if model.patch_dropout:
            raise UserError(
                f"objective {self.kind} hides patches itself: leave model.patch_dropout out"
            )
        if model.grid == (1, 1):
            raise UserError(
                f"objective {self.kind} hides some patches and the image is one of them: give a "
                "smaller model.patch"
            )


@dataclass(frozen=True, kw_only=True)
class MaskedPatchConfig(MaskingConfig):
    """Masked patch prediction (appendix B.1.2).

    Attributes:
        kind: Which objective; the tag of its JSON.
        share: Of the patches of each image that are corrupted, to the nearest patch.
        masked: Probability that a corrupted patch becomes the mask.
        swapped: Probability that it becomes another patch of the image; the rest stay.
        target: `colour`: the patch's mean colour in 3 bits a channel; `colours`: that of each of
            4 x 4 cells; `pixels`: all pixels, by squared error. The paper reports the first.
    """

    kind: str = "masked_patch"
    masked: float = 0.8
    swapped: float = 0.1
    target: Target = "colour"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_shares(self, "masked", "swapped")
        if self.masked + self.swapped > 1:
            raise UserError(
                f"objective.masked {self.masked} and objective.swapped {self.swapped} are over 1 "
                "together: lower one"
            )
        _check_choice(self, "target", get_args(Target))

    def check(self, model: ModelConfig) -> None:
        """Refuse also what colours have no classes for."""
        super().check(model)
        assert isinstance(model, ViTConfig)
        if self.target != "pixels" and model.channels > 4:
            raise UserError(
                f"objective.target {self.target} has 8 classes a channel, to the power of "
                f"{model.channels} channels: give pixels"
            )
        if self.target == "colours" and min(model.patch_size) < 4:
            raise UserError(
                f"objective.target colours cuts a patch into 4 x 4 and model.patch is "
                f"{model.patch}: give colour or pixels"
            )


@dataclass(frozen=True, kw_only=True)
class MAEConfig(MaskingConfig):
    """The masked autoencoder (He et al. 2022, arXiv 2111.06377).

    Attributes:
        kind: Which objective; the tag of its JSON.
        share: Of the patches of each image that are hidden, to the nearest patch.
        decoder_width: D of the decoder; 512, or the encoder's where that is smaller, if not given.
        decoder_depth: Blocks of the decoder; 8, or two thirds of the encoder's, if not given.
        scaled: Whether the pixels of each patch are brought to mean 0 and variance 1.
    """

    kind: str = "mae"
    share: float = 0.75
    decoder_width: int | None = None
    decoder_depth: int | None = None
    scaled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("decoder_width", "decoder_depth"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"objective.{name} is {value}: give at least 1, or none")
        if self.decoder_width is not None and self.decoder_width % 4:
            raise UserError(
                f"objective.decoder_width is {self.decoder_width}: give a multiple of 4, for its "
                "sines and cosines of rows and columns"
            )

    def check(self, model: ModelConfig) -> None:
        """Refuse also positions that could not follow the visible patches."""
        super().check(model)
        assert isinstance(model, ViTConfig)
        if model.position.startswith("relative") or model.position_at != "stem":
            raise UserError(
                "objective mae encodes some of the patches, which only positions at the stem can "
                "place: leave model.position_at out, and take no relative model.position"
            )


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(ObjectiveConfig):
    """Learning from labels and from another model's answers (DeiT, arXiv 2012.12877).

    A student with `--model.pooling distilled --model.registers 1` answers the teacher by a token
    and a head of their own.

    Attributes:
        kind: Which objective; the tag of its JSON.
        teacher: Checkpoint or run folder of the model to learn from.
        answers: Of the teacher: `hard`, the likeliest class; or `soft`, all probabilities.
        weight: Of the teacher's part in the loss; the labels have the rest.
        temperature: That soft answers are divided by.
    """

    kind: str = "distillation"
    teacher: str = ""
    answers: Answers = "hard"
    weight: float = 0.5
    temperature: float = 3.0

    def __post_init__(self) -> None:
        _check_shares(self, "weight")
        _check_choice(self, "answers", get_args(Answers))
        if not self.temperature > 0:
            raise UserError(f"objective.temperature is {self.temperature}: give a number over 0")


OBJECTIVES: dict[str, type[ObjectiveConfig]] = {
    "classification": ObjectiveConfig,
    "masked_patch": MaskedPatchConfig,
    "mae": MAEConfig,
    "distillation": DistillationConfig,
}


def objective_type(values: dict[str, Any]) -> type[ObjectiveConfig]:
    """The type of config that `dataclasses.asdict` wrote.

    Raises:
        UserError: An unknown kind.
    """
    kind = values.get("kind", "classification")
    if kind not in OBJECTIVES:
        raise UserError(f"objective {kind!r} is not known: there are {', '.join(OBJECTIVES)}")
    return OBJECTIVES[kind]


def _check_shares(config: ObjectiveConfig, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            raise UserError(f"objective.{name} is {getattr(config, name)}: give a share, 0 to 1")


def _check_choice(config: ObjectiveConfig, name: str, options: tuple[str, ...]) -> None:
    if getattr(config, name) not in options:
        raise UserError(
            f"objective.{name} is {getattr(config, name)!r}: choose {', '.join(options)}"
        )
