"""Conversion as a table of invertible rules.

A rule says which tensors of a foreign checkpoint make which one of ours, and by what operation.
`{layer}` in its names runs over the encoder blocks. One table is read both ways: `to_ours` and
`to_theirs`. Whatever no rule speaks of, on either side, is listed and refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from vitreous.data.workers import available_cores
from vitreous.errors import UserError
from vitreous.weights.read import Checkpoint

LAYER = "{layer}"
_THREADS = 4
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Operation:
    """An invertible rearrangement of numbers: `theirs(ours(x)) == x`, bit for bit."""

    ours: Callable[[Tensor], Tensor]
    theirs: Callable[[Tensor], Tensor]


KEEP = Operation(lambda x: x, lambda x: x)
TRANSPOSE = Operation(lambda x: x.mT, lambda x: x.mT)
HWIO_KERNEL = Operation(lambda x: x.permute(3, 2, 0, 1), lambda x: x.permute(2, 3, 1, 0))
"""Convolution kernels of TensorFlow and Flax, (P, P, C, D), to (D, C, P, P)."""


def leading(ones: int) -> Operation:
    """Axes of length one before a tensor's own."""
    return Operation(
        lambda x: x.reshape(x.shape[ones:]), lambda x: x.reshape((1,) * ones + x.shape)
    )


def heads_out_of(heads: int) -> Operation:
    """Flax's projection into heads, (D, k, d) or (k, d) for its bias, to (k*d, D) or (k*d)."""
    return Operation(
        lambda x: x.flatten(-2).mT if x.ndim == 3 else x.flatten(),
        lambda x: (x.mT if x.ndim == 2 else x).unflatten(-1, (heads, -1)),
    )


def heads_into(heads: int) -> Operation:
    """Flax's projection out of heads, (k, d, D), to (D, k*d)."""
    return Operation(lambda x: x.flatten(0, 1).mT, lambda x: x.mT.unflatten(0, (heads, -1)))


@dataclass(frozen=True)
class Rule:
    """Foreign tensors that make one of ours.

    Attributes:
        theirs: Name, or several whose tensors are stacked along our first axis.
        ours: Name in our state dict; None for a tensor that some layouts keep in the place of what
            a model lacks: zeros, if any, are written, and none need be there to read.
        operation: On each foreign tensor.
        empty_shape: Of that tensor.
        shares: Parts of our first axis that each of several takes, where they are not equal.
    """

    theirs: str | tuple[str, ...]
    ours: str | None
    operation: Operation = KEEP
    empty_shape: tuple[int, ...] = ()
    shares: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The foreign names."""
        return (self.theirs,) if isinstance(self.theirs, str) else self.theirs

    def split(self, whole: Tensor) -> tuple[Tensor, ...]:
        """The parts of one of our tensors, a view for each foreign name."""
        shares = self.shares or (1,) * len(self.names)
        unit = len(whole) // sum(shares)
        return whole.split([unit * share for share in shares])

    def of_layer(self, layer: int) -> "Rule":
        """The rule of one encoder block."""
        assert self.ours is not None
        theirs = tuple(name.replace(LAYER, str(layer)) for name in self.names)
        ours = self.ours.replace(LAYER, str(layer))
        return Rule(theirs, ours, self.operation, shares=self.shares)


def each_layer(rules: Iterable[Rule], depth: int) -> Iterator[Rule]:
    """Rules of every layer in place of those that speak of `{layer}`."""
    for rule in rules:
        if LAYER in rule.names[0]:
            yield from (rule.of_layer(layer) for layer in range(depth))
        else:
            yield rule


def to_ours(
    rules: Sequence[Rule], checkpoint: Checkpoint, expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Apply a table forwards.

    Args:
        rules: Of every layer.
        checkpoint: The foreign tensors; each is read once, and few at a time.
        expected: Our state dict, for its names and shapes; may be on `meta`.

    Raises:
        UserError: A tensor is missing or left over on either side, or does not fit.
    """
    spoken = {name for rule in rules for name in rule.names}
    kept = {rule.ours: rule for rule in rules if rule.ours is not None}
    needed = {name for rule in kept.values() for name in rule.names}
    refuse_leftovers(checkpoint.file, lacks=needed - set(checkpoint.shapes))
    refuse_leftovers(checkpoint.file, has=set(checkpoint.shapes) - spoken)
    refuse_leftovers(checkpoint.file, lacks=set(expected) - set(kept))
    shapes = (tuple(expected[name].shape) for name in kept)
    # Most of the time goes into first touches of new memory, which threads share well; each holds
    # one foreign tensor, and the caches shall hold them all.
    threads = min(available_cores(), _THREADS)
    with ThreadPoolExecutor(threads, "vitreous-weights") as pool:
        joined = pool.map(partial(_joined, checkpoint), kept.values(), shapes)
        return dict(zip(kept, joined, strict=True))


def _joined(checkpoint: Checkpoint, rule: Rule, shape: tuple[int, ...]) -> Tensor:
    """The foreign tensors of one rule as one of ours, each copied once, into its place."""
    alone = len(rule.names) == 1
    whole = torch.empty(shape, device="meta" if alone else "cpu")
    for place, name in zip(rule.split(whole), rule.names, strict=True):
        try:
            part = rule.operation.ours(checkpoint.tensor(name))
        except (RuntimeError, IndexError) as error:
            raise _misfit(checkpoint, rule, shape) from error
        if part.shape != place.shape:
            raise _misfit(checkpoint, rule, shape)
        if alone:
            return laid_out(part)  # a window on the file would change with it
        place.copy_(laid_out(part))
    return whole


def laid_out(x: Tensor) -> Tensor:
    """A copy of x, row after row, in memory of its own.

    A transposed matrix is copied as an image of one pixel whose channels are shuffled, which is the
    same rearrangement: PyTorch has vector instructions for that one, and takes half the time.
    """
    if x.ndim != 2 or not x.mT.is_contiguous() or x.numel() == 0:
        return x.clone(memory_format=torch.contiguous_format)
    channels, (columns, rows) = x.numel(), x.shape
    pixel = x.mT.as_strided((1, channels, 1, 1), (channels, 1, channels, channels))
    return F.channel_shuffle(pixel, rows).as_strided((columns, rows), (rows, 1))


def to_theirs(rules: Sequence[Rule], ours: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Apply a table backwards, one tensor after the other.

    Raises:
        UserError: A tensor of ours has no place there.
    """
    lost = set(ours) - {rule.ours for rule in rules}
    if lost:
        raise UserError(f"the layout has no place for {_listed(lost)}")
    for rule in rules:
        if rule.ours is None:
            yield rule.names[0], torch.zeros(rule.empty_shape)
            continue
        for name, part in zip(rule.names, rule.split(ours[rule.ours]), strict=True):
            yield name, rule.operation.theirs(part).contiguous()


def refuse_leftovers(file: Path, *, lacks: Set[str] = _NONE, has: Set[str] = _NONE) -> None:
    """One line that lists what is missing, or what nobody asked for."""
    if lacks:
        raise UserError(f"{file} lacks {_listed(lacks)} of the architecture that it seems to be")
    if has:
        raise UserError(
            f"{file} has tensors that its architecture has no place for: {_listed(has)}"
        )


def _listed(names: Set[str]) -> str:
    shown = ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} tensor{'s' if len(names) > 1 else ''} ({shown})"


def _misfit(checkpoint: Checkpoint, rule: Rule, shape: tuple[int, ...]) -> UserError:
    found = ", ".join(f"{name} {checkpoint.shapes[name]}" for name in rule.names)
    return UserError(
        f"{checkpoint.file}: {found} does not fit {rule.ours} {shape} of its own model"
    )
