"""What a family of checkpoints is to us."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Rule


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What the caller knows of a checkpoint, where its tensors cannot say it.

    A value that contradicts what the file says is refused.

    Attributes:
        image_size: (H, W) of the grid, where it is not square.
        heads: k.
        activation: Of the MLP.
        pooling: What the head reads.
        normalisation: `half`, `imagenet`, `clip` or `none`: mean and deviation of the images.
        architecture: The name that a config would give: timm's `architecture`, or Hugging Face's
            `model_type`.
    """

    image_size: tuple[int, int] | None = None
    heads: int | None = None
    activation: str | None = None
    pooling: str | None = None
    normalisation: str | None = None
    architecture: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a checkpoint is understood.

    Attributes:
        config: The architecture.
        preprocessing: Said beside the tensors, or else the family's own.
        class_names: Where known.
        multi_label: Whether each logit is a yes or no of its own, by a sigmoid.
        assumed: What nothing said, in words.
        left_out: What stands in the file and is no part of the image model, in words.
    """

    config: ModelConfig
    preprocessing: Preprocessing
    class_names: tuple[str, ...] = ()
    multi_label: bool = False
    assumed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def require_clip_activation(checkpoint: Checkpoint, hints: Hints) -> None:
    """Ask for the activation of a CLIP, where nothing beside its tensors says it.

    Raises:
        UserError: The caller does not say it: names both.
    """
    if hints.activation is None:
        raise UserError(
            f"{checkpoint.file} is a CLIP, whose activation no tensor shows: OpenAI's own is "
            "quick_gelu, OpenCLIP's usual is gelu: say which, by activation='quick_gelu' or "
            "activation='gelu'"
        )


@dataclass(frozen=True, kw_only=True)
class Family:
    """One layout of one family.

    Attributes:
        name: Of the family.
        layout: Which of its layouts, where it has several.
        architecture: The type of config that it speaks of; `rules` and `objection` are called with
            no other.
        signature: Names that a checkpoint of this layout surely has.
        repair: Gives tensors of odd files their usual names.
        settle: As `repair`, where the caller may have to be asked which of two readings it is.
        applies: What else must hold, where names alone do not tell.
        left_out: Patterns of names that are no part of the image model, by what they are: they
            are not read, and it is said.
        understand: Tensors and config to a `Reading`; config and tensors that contradict each
            other are refused.
        rules: The table, for an architecture.
        objection: Why an architecture cannot be said in this layout, or None.
        config_json: What to write beside the tensors.
        preprocessor_json: What to write in a `preprocessor_config.json`.
        suffix: Of its files.
        head: Name of the module that gives the logits, where people put another in its place.
        superseded: True for a layout that the family's newest code does not read; see
            `family_to_write`.
    """

    name: str
    layout: str = ""
    architecture: type[ModelConfig] = ViTConfig
    signature: tuple[str, ...]
    repair: Callable[[Checkpoint], Checkpoint] = lambda checkpoint: checkpoint
    settle: Callable[[Checkpoint, Hints], Checkpoint] = lambda checkpoint, hints: checkpoint
    applies: Callable[[Checkpoint], bool] = lambda checkpoint: True
    left_out: Mapping[str, str] = field(default_factory=dict)
    understand: Callable[[Checkpoint, Hints], Reading]
    rules: Callable[[Any], Sequence[Rule]]
    objection: Callable[[Any], str | None]
    config_json: Callable[[Passport], dict[str, Any]] = lambda passport: {}
    preprocessor_json: Callable[[Passport], dict[str, Any]] = lambda passport: {}
    suffix: Literal[".npz", ".safetensors"] = ".safetensors"
    head: str = ""
    superseded: bool = False

    def recognises(self, checkpoint: Checkpoint) -> bool:
        """Whether this is a checkpoint of this layout."""
        return set(self.signature) <= set(checkpoint.shapes) and self.applies(checkpoint)

    def without_left_out(self, checkpoint: Checkpoint) -> tuple[Checkpoint, tuple[str, ...]]:
        """The checkpoint with the image model's tensors alone, and in words what went."""
        shapes, words = dict(checkpoint.shapes), []
        for what, pattern in self.left_out.items():
            names = [name for name in shapes if re.fullmatch(pattern, name)]
            for name in names:
                del shapes[name]
            if names:
                words.append(f"{what} ({len(names)} tensor{'s' * (len(names) > 1)})")
        return replace(checkpoint, shapes=shapes), tuple(words)

    def likeness(self, names: Sequence[str]) -> float:
        """Share of the names that this layout has too, between 0 and 1."""
        own = {name for rule in self.rules(self.architecture()) for name in rule.names}
        patterns = [re.escape(name).replace(re.escape(LAYER), r"\d+") for name in own]
        known = re.compile("|".join(patterns))
        return sum(known.fullmatch(name) is not None for name in names) / max(len(names), 1)


ANY = object()
"""What a layout says of a field that it can give every value."""

# What a layout that knows nothing more can say.
_PLAIN: dict[str, Any] = {
    "stem": None,
    "class_token": True,
    "registers": 0,
    "register_neurons": ((),),
    "position": "learned",
    "position_at": "stem",
    "prefix_positions": True,
    "register_positions": True,
    "pooling": "token",
    "pre_logits": None,
    "final_norm": "tokens",
    "patch_norms": False,
    "patch_bias": True,
    "embedding_norm": False,
    "layer_scale": None,
    "qkv_bias": True,
    "output_projection": True,
    "head_bias": True,
    "activation": ("gelu", "gelu_tanh", "quick_gelu", "relu"),
}


def first_objection(config: ModelConfig, **said: Any) -> str | None:
    """The first field whose value a layout cannot say.

    Args:
        config: To be written.
        **said: Fields for which the layout has a place, and what it can say there: a value, a
            tuple of values, or `ANY`. The others of a Vision Transformer must be as in the plain
            model of the paper, patches square, and heads as wide as they together fill the width.
    """
    if isinstance(config, ViTConfig):
        if said.get("patch") is not ANY and isinstance(config.patch, tuple):
            return f"patch {config.patch}"
        if said.get("head_width") is not ANY and config.head_width is not None:
            return f"head_width {config.head_width} x {config.heads} heads at width {config.width}"
        said = _PLAIN | said
    for name, allowed in said.items():
        value = getattr(config, name)
        if allowed is not ANY and value not in (
            allowed if isinstance(allowed, tuple) else (allowed,)
        ):
            return f"{name} {value!r}"
    return None
