"""What a family of checkpoints is to us, and how an architecture is inferred from tensors."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from vitreous.data.preprocessing import Interpolation, Preprocessing
from vitreous.errors import UserError
from vitreous.model.config import ViTConfig
from vitreous.model.variants import SIZES, STEMS
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Rule

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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

    config: ViTConfig
    preprocessing: Preprocessing
    class_names: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Family:
    """One layout of one family.

    Attributes:
        name: Of the family.
        layout: Which of its layouts, where it has several.
        signature: Names that a checkpoint of this layout surely has.
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
    signature: tuple[str, ...]
    understand: Callable[[Checkpoint, Hints], Reading]
    rules: Callable[[ViTConfig], Sequence[Rule]]
    objection: Callable[[ViTConfig], str | None]
    config_json: Callable[[Passport], dict[str, Any]] = lambda passport: {}
    preprocessor_json: Callable[[Passport], dict[str, Any]] = lambda passport: {}
    suffix: Literal[".npz", ".safetensors"] = ".safetensors"

    def recognises(self, names: Iterable[str]) -> bool:
        """Whether these are names of this layout."""
        return set(self.signature) <= set(names)

    def likeness(self, names: Sequence[str]) -> float:
        """Share of the names that this layout has too, between 0 and 1."""
        own = {name for rule in self.rules(ViTConfig()) for name in rule.names}
        patterns = [re.escape(name).replace(re.escape(LAYER), r"\d+") for name in own]
        known = re.compile("|".join(patterns))
        return sum(known.fullmatch(name) is not None for name in names) / max(len(names), 1)


@dataclass
class Evidence:
    """Gathers what a checkpoint says of its architecture, and what has to be assumed.

    Attributes:
        checkpoint: The tensors.
        hints: The caller's.
        assumed: See `Reading`.
    """

    checkpoint: Checkpoint
    hints: Hints
    assumed: list[str] = field(default_factory=list)

    def shape(self, name: str, axes: int) -> tuple[int, ...]:
        """A tensor's shape, refused where it has another number of axes.

        Raises:
            UserError: There is no such tensor, or not of so many axes.
        """
        shape = self.checkpoint.shapes.get(name)
        if shape is None:
            raise UserError(f"{self.checkpoint.file} lacks {name} of its own family")
        if len(shape) != axes:
            raise UserError(
                f"{self.checkpoint.file}: {name} is {shape}, its family has {axes} axes"
            )
        return shape

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return name in self.checkpoint.shapes

    def depth(self, pattern: str) -> int:
        """L: the layers that have a tensor of this pattern, refused where one is skipped."""
        before, after = map(re.escape, pattern.split(LAYER))
        names = re.compile(rf"{before}(\d+){after}")
        layers = {int(m[1]) for name in self.checkpoint.shapes if (m := names.fullmatch(name))}
        missing = next(layer for layer in count() if layer not in layers)
        if missing != len(layers) or not layers:
            raise UserError(
                f"{self.checkpoint.file} lacks layer {missing} of the encoder, which has "
                f"{len(layers)} tensors named {pattern}"
            )
        return len(layers)

    def heads(self, inner: int, said: int | None, sizes: tuple[int, int, int]) -> int:
        """k: the caller's, the config's, a named variant's of these sizes, or 64 wide each.

        Args:
            inner: k * d.
            said: By the config.
            sizes: Width, depth and MLP width.

        Raises:
            UserError: Nothing says it, or it does not divide the width.
        """
        named = {row[:3]: row[3] for row in SIZES.values() if row[0] == inner}
        heads = said if self.hints.heads is None else self.hints.heads
        if heads is None and sizes in named:
            heads = named[sizes]
            self.assumed.append(f"{heads} heads, as the named variant of these sizes has")
        elif heads is None:
            if inner % 64:
                raise UserError(
                    f"{self.checkpoint.file} does not say its number of heads, and width {inner} "
                    "is no multiple of 64: give heads="
                )
            heads = inner // 64
            self.assumed.append(f"{heads} heads, each 64 wide")
        if heads < 1 or inner % heads:
            raise UserError(
                f"{self.checkpoint.file}: {heads} heads do not divide the width {inner}"
            )
        return heads

    def image_size(self, patches: int, patch: int, said: Any = None) -> tuple[int, int]:
        """(H, W), pixels: the config's, a square, or else the caller's."""
        if said is not None:
            size = pair(said)
            if (size[0] // patch) * (size[1] // patch) != patches:
                raise UserError(
                    f"{self.checkpoint.file}: its config says images of {size[0]}x{size[1]}, its "
                    f"position table has {patches} patches of {patch}x{patch}"
                )
            return size[0] // patch * patch, size[1] // patch * patch
        side = math.isqrt(max(patches, 0))
        if patches > 0 and side * side == patches:
            return side * patch, side * patch
        size = self.hints.image_size or (0, 0)
        if patches > 0 and (size[0] // patch) * (size[1] // patch) == patches:
            return size
        raise UserError(
            f"{self.checkpoint.file}: a position table of {patches} patches is no square grid: "
            "give image_size=(H, W)"
        )

    def agree(self, what: str, found: object, said: object) -> None:
        """Refuse a config that says something else than the tensors.

        Raises:
            UserError: It does.
        """
        if said is not None and said != found:
            raise UserError(
                f"{self.checkpoint.file}: its config says {what} {said}, its tensors say {found}"
            )

    def preprocessing(
        self,
        config: ViTConfig,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        **rule: Any,
    ) -> Preprocessing:
        """The family's preprocessing; half and half where the channels are not three."""
        if len(mean) != config.channels:
            mean = std = (0.5,) * config.channels
            self.assumed.append(
                f"normalisation by mean and deviation 0.5 ({config.channels} channels)"
            )
        return Preprocessing(
            size=config.image_size, channels=config.channels, mean=mean, std=std, **rule
        )


def pair(value: Any) -> tuple[int, int]:
    """A side, or [H, W], or [C, H, W], as (H, W)."""
    if isinstance(value, int):
        return value, value
    height, width = value[-2:]
    return int(height), int(width)


def variant_name(
    width: int,
    depth: int,
    mlp_width: int,
    heads: int,
    patch: int,
    stem: tuple[int, ...] | None = None,
) -> str:
    """The paper's name of these sizes, or just ViT."""
    sizes = {row: size for size, row in SIZES.items()}
    stems = {spec: (f"{name}+", number) for (name, number), spec in STEMS.items()}
    prefix, number = ("", patch) if stem is None else stems.get((stem, patch), (None, 0))
    size = sizes.get((width, depth, mlp_width, heads))
    return "ViT" if prefix is None or size is None else f"{prefix}ViT-{size}/{number}"


def interpolation(name: str | None) -> Interpolation:
    """A library's word for a filter; bicubic where it says none, or one that we lack."""
    return "bilinear" if name == "bilinear" else "bicubic"


def first_objection(config: ViTConfig, wanted: Mapping[str, Any]) -> str | None:
    """The first field whose value is not among those that a layout can say."""
    for name, allowed in wanted.items():
        value = getattr(config, name)
        if value not in (allowed if isinstance(allowed, tuple) else (allowed,)):
            return f"{name} {value!r}"
    return None
