"""What a family of checkpoints is to us."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from vitreous.data.preprocessing import Preprocessing
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Rule


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What the caller knows of a checkpoint, where its tensors cannot say it.

    Attributes:
        image_size: (H, W) of the grid, where it is not square.
        heads: k.
        pool: `cls` or `mean`, vit-pytorch's word for what the head reads.
    """

    image_size: tuple[int, int] | None = None
    heads: int | None = None
    pool: Literal["cls", "mean"] | None = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a checkpoint is understood.

    Attributes:
        config: The architecture.
        preprocessing: Said beside the tensors, or else the family's own.
        class_names: Where known.
        assumed: What nothing said, in words.
        left_out: What stands in the file and is no part of the image model, in words.
    """

    config: ModelConfig
    preprocessing: Preprocessing
    class_names: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


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
        superseded: True for a layout that the family's newest code does not read; see
            `family_to_write`.
    """

    name: str
    layout: str = ""
    architecture: type[ModelConfig] = ViTConfig
    signature: tuple[str, ...]
    repair: Callable[[Checkpoint], Checkpoint] = lambda checkpoint: checkpoint
    applies: Callable[[Checkpoint], bool] = lambda checkpoint: True
    left_out: Mapping[str, str] = field(default_factory=dict)
    understand: Callable[[Checkpoint, Hints], Reading]
    rules: Callable[[Any], Sequence[Rule]]
    objection: Callable[[Any], str | None]
    config_json: Callable[[Passport], dict[str, Any]] = lambda passport: {}
    preprocessor_json: Callable[[Passport], dict[str, Any]] = lambda passport: {}
    suffix: Literal[".npz", ".safetensors"] = ".safetensors"
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
