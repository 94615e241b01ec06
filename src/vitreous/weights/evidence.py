"""How an architecture is inferred: from the shapes of tensors, their config, and hints."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast, get_args

from vitreous.data.preprocessing import Interpolation, Preprocessing
from vitreous.errors import UserError
from vitreous.model.config import ModelConfig
from vitreous.model.variants import SIZES, STEMS
from vitreous.weights.family import Hints
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

NORMALISATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "clip": (CLIP_MEAN, CLIP_STD),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and deviation of pixels in [0, 1] by the word that `load(normalisation=)` takes."""

# Heads of sizes that have no name here, by width, depth and MLP width: SoViT-400m (arXiv
# 2305.13035), OpenCLIP's bigG (laion/CLIP-ViT-bigG-14), SigLIP 2's g-opt (arXiv 2502.14786).
_HEADS = {(1152, 27, 4304): 16, (1664, 48, 8192): 16, (1536, 40, 6144): 16}


Patch = int | tuple[int, int]
"""Side of a square patch, pixels, or (height, width) of any other."""


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

    def assume(self, option: str, usual: str, because: str) -> str:
        """Answer what the file leaves open: by the caller's word, or the usual one, which is noted.

        Args:
            option: The field of `Hints` that answers, and its name in words.
            usual: Taken where the caller does not say.
            because: Whose usual it is, or which other reading has the same tensors.
        """
        said: str | None = getattr(self.hints, option)
        if said is None:
            self.assumed.append(f"{option} {usual}, {because} ({option}= says another)")
        return usual if said is None else said

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

    def sizes(
        self,
        *,
        patch: str,
        norm: str,
        expand: str,
        said: Mapping[str, Any],
        words: Mapping[str, str],
        gated: bool = False,
    ) -> dict[str, Any]:
        """What nearly every layout says alike: the name, patch, channels, width, depth, MLP, heads.

        Args:
            patch: Name of the patch kernel, (D, C, P, P2).
            norm: Pattern of a tensor that each layer has once.
            expand: Pattern of the first kernel of the MLP, (F, D).
            said: The config.
            words: What the config calls these fields of `ViTConfig`; those that it says must
                agree, and its heads are believed.
            gated: Whether that first kernel makes a gate as well.

        Returns:
            Fields of `ViTConfig`.

        Raises:
            UserError: A tensor is missing or of another kind, or the config says otherwise.
        """
        width, channels, *sides = self.shape(patch, 4)
        side = square(sides)
        depth = self.depth(norm)
        mlp_width = self.shape(expand.replace(LAYER, "0"), 2)[0] // (2 if gated else 1)
        found = {"patch": side, "channels": channels, "width": width, "depth": depth}
        found["mlp_width"] = mlp_width
        for field_name, value in found.items():
            word = words.get(field_name, "")
            if word == "patch_size" and word in said:
                self.agree(word, pair(side), pair(said[word]))
            else:
                self.agree(word, value, said.get(word))
        heads = self.heads(width, said.get(words.get("heads", "")), (width, depth, mlp_width))
        name = variant_name(width, depth, mlp_width, heads, side)
        return found | {"heads": heads, "name": name}

    def grid(self, patches: int, patch: Patch, said: Any = None) -> dict[str, Any]:
        """`image_size` as a field of `ViTConfig`, and `drop_remainder` where patches leave a rest.

        See `image_size`.
        """
        size = self.image_size(patches, patch, said)
        whole = tuple(a // side * side for a, side in zip(size, pair(patch), strict=True))
        return {"image_size": size, "drop_remainder": size != whole}

    def heads(self, inner: int, said: int | None, sizes: tuple[int, int, int]) -> int:
        """k: the caller's, the config's, a named variant's of these sizes, or 64 wide each.

        Args:
            inner: k * d.
            said: By the config.
            sizes: Width, depth and MLP width.

        Raises:
            UserError: Nothing says it, or it does not divide the width.
        """
        named = _HEADS | {row[:3]: row[3] for row in SIZES.values() if row[0] == inner}
        heads = said if self.hints.heads is None else self.hints.heads
        if heads is None and sizes in named:
            heads = named[sizes]
            self.assumed.append(
                f"{heads} heads, as the named variant of these sizes has (heads= says another)"
            )
        elif heads is None:
            if inner % 64:
                raise UserError(
                    f"{self.checkpoint.file} does not say its number of heads, and width {inner} "
                    "is no multiple of 64: give heads=, or convert it first, by vitreous convert "
                    "--heads"
                )
            heads = inner // 64
            self.assumed.append(f"{heads} heads, each 64 wide (heads= says another)")
        if heads < 1 or inner % heads:
            raise UserError(
                f"{self.checkpoint.file}: {heads} heads do not divide the width {inner}"
            )
        return heads

    def image_size(self, patches: int, patch: Patch, said: Any = None) -> tuple[int, int]:
        """(H, W), pixels: the config's, that of a square grid, or else the caller's."""
        height, width = pair(patch)
        if said is not None:
            size = pair(said)
            if (size[0] // height) * (size[1] // width) != patches:
                raise UserError(
                    f"{self.checkpoint.file}: its config says images of {size[0]}x{size[1]}, its "
                    f"position table has {patches} patches of {height}x{width}"
                )
            return size
        side = math.isqrt(max(patches, 0))
        if patches > 0 and side * side == patches:
            return side * height, side * width
        size = self.hints.image_size or (0, 0)
        if patches > 0 and (size[0] // height) * (size[1] // width) == patches:
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

    def interpolation(self, name: str | None, usual: Interpolation = "bicubic") -> Interpolation:
        """A library's word for a filter; the usual one, which is noted, in place of one we lack."""
        if name in get_args(Interpolation):
            return cast(Interpolation, name)
        if name is not None:
            self.assumed.append(f"interpolation {usual} in place of {name}, which is not here")
        return usual

    def preprocessing(
        self,
        config: ModelConfig,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        *,
        because: str = "",
        **rule: Any,
    ) -> Preprocessing:
        """The family's preprocessing; half and half where the channels are not three.

        Args:
            config: The architecture.
            mean: Of pixels in [0, 1], per channel.
            std: The same.
            because: Why this rule was taken, where nothing said it: it is noted, and the caller's
                `normalisation` is heeded.
            **rule: Further fields of `Preprocessing`; the size is the model's own unless given.
        """
        if because and self.hints.normalisation is not None:
            mean, std = self._asked_normalisation()
        if because and len(mean) == config.channels:
            self.assumed.append(_preprocessing_words(mean, std, rule, because))
        if len(mean) != config.channels:
            mean = std = (0.5,) * config.channels
            self.assumed.append(
                f"normalisation by mean and deviation 0.5 ({config.channels} channels)"
            )
        return Preprocessing(
            **{"size": config.image_size} | rule, channels=config.channels, mean=mean, std=std
        )

    def _asked_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        asked = self.hints.normalisation
        if asked not in NORMALISATIONS:
            raise UserError(
                f"{self.checkpoint.file}: normalisation {asked!r} is not known: choose "
                f"{', '.join(NORMALISATIONS)}"
            )
        return NORMALISATIONS[asked]


def _preprocessing_words(
    mean: tuple[float, ...], std: tuple[float, ...], rule: Mapping[str, Any], because: str
) -> str:
    """An assumed rule in words, with the option that says another normalisation."""
    named = next((word for word, pair in NORMALISATIONS.items() if pair == (mean, std)), "")
    numbers = f"mean {'/'.join(f'{m:g}' for m in mean)}" + (f" ({named})" if named else "")
    fit = "squashed" if rule.get("fit") == "squash" else f"crop {rule.get('crop_fraction', 1.0):g}"
    filtered = rule.get("interpolation", "bicubic")
    return (
        f"preprocessing: normalisation by {numbers}, {fit}, {filtered}, {because} "
        "(normalisation= says another)"
    )


def pair(value: Any) -> tuple[int, int]:
    """A side, or [H, W], or [C, H, W], as (H, W)."""
    if isinstance(value, int):
        return value, value
    height, width = value[-2:]
    return int(height), int(width)


def square(sides: Sequence[int]) -> Patch:
    """One side where both are equal, else the pair."""
    height, width = sides
    return height if height == width else (height, width)


def variant_name(
    width: int,
    depth: int,
    mlp_width: int,
    heads: int,
    patch: Patch,
    stem: tuple[int, ...] | None = None,
) -> str:
    """The paper's name of these sizes, or just ViT."""
    if isinstance(patch, tuple):
        return "ViT"
    # The first of two names of the same sizes: `b`, the paper's halved B, has those of S.
    sizes = {row: size for size, row in reversed(SIZES.items())}
    stems = {spec: (f"{name}+", number) for (name, number), spec in STEMS.items()}
    prefix, number = ("", patch) if stem is None else stems.get((stem, patch), (None, 0))
    size = sizes.get((width, depth, mlp_width, heads))
    return "ViT" if prefix is None or size is None else f"{prefix}ViT-{size}/{number}"
