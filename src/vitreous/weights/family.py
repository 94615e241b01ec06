"""What a family of checkpoints is to us."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    """

    image_size: tuple[int, int] | None = None
    heads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a checkpoint is understood.

    Attributes:
        config: The architecture.
        preprocessing: Said beside the tensors, or else the family's own.
        class_names: Where known.
        assumed: What nothing said, in words.
    """

    config: ModelConfig
    preprocessing: Preprocessing
    class_names: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


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
        understand: Tensors and config to a `Reading`; config and tensors that contradict each
            other are refused.
        rules: The table, for an architecture.
        objection: Why an architecture cannot be said in this layout, or None.
        config_json: What to write beside the tensors.
        preprocessor_json: What to write in a `preprocessor_config.json`.
        suffix: Of its files.
    """

    name: str
    layout: str = ""
    architecture: type[ModelConfig] = ViTConfig
    signature: tuple[str, ...]
    repair: Callable[[Checkpoint], Checkpoint] = lambda checkpoint: checkpoint
    understand: Callable[[Checkpoint, Hints], Reading]
    rules: Callable[[Any], Sequence[Rule]]
    objection: Callable[[Any], str | None]
    config_json: Callable[[Passport], dict[str, Any]] = lambda passport: {}
    preprocessor_json: Callable[[Passport], dict[str, Any]] = lambda passport: {}
    suffix: Literal[".npz", ".safetensors"] = ".safetensors"

    def recognises(self, names: Iterable[str]) -> bool:
        """Whether these are names of this layout."""
        return set(self.signature) <= set(names)

    def likeness(self, names: Sequence[str]) -> float:
        """Share of the names that this layout has too, between 0 and 1."""
        own = {name for rule in self.rules(self.architecture()) for name in rule.names}
        patterns = [re.escape(name).replace(re.escape(LAYER), r"\d+") for name in own]
        known = re.compile("|".join(patterns))
        return sum(known.fullmatch(name) is not None for name in names) / max(len(names), 1)


def first_objection(config: ModelConfig, wanted: Mapping[str, Any]) -> str | None:
    """The first field whose value is not among those that a layout can say."""
    for name, allowed in wanted.items():
        value = getattr(config, name)
        if value not in (allowed if isinstance(allowed, tuple) else (allowed,)):
            return f"{name} {value!r}"
    return None
