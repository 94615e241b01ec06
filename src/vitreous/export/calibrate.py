"""What numbers the linear layers of an encoder are given, seen on examples."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vitreous.model.dense import Dense
from vitreous.model.vit import VisionTransformer


class Seen(NamedTuple):
    """A linear layer of an encoder, and the numbers it was given.

    Attributes:
        layer: Called at least once.
        low: The least of all.
        high: The largest.
    """

    layer: Dense
    low: float
    high: float


@torch.no_grad()
def activation_ranges(model: VisionTransformer, run: Callable[[], object]) -> dict[str, Seen]:
    """Every linear layer of the encoder that is called, by its name there.

    But for the packed queries, keys and values of a last block that makes one token: they are read
    in slices.

    Args:
        model: Frozen.
        run: Runs it over images that are like those to come.
    """
    sliced = None if model.pool.read is None else f"blocks.{model.config.depth - 1}.attention.qkv"
    names = {m: n for n, m in model.encoder.named_modules() if isinstance(m, Dense) and n != sliced}
    seen: dict[str, Seen] = {}

    def look(layer: Dense, given: tuple[Tensor]) -> None:
        low, high = (float(end) for end in torch.aminmax(given[0]))
        name = names[layer]
        before = seen.get(name, Seen(layer, low, high))
        seen[name] = Seen(layer, min(low, before.low), max(high, before.high))

    hooks = [layer.register_forward_pre_hook(look) for layer in names]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def put_layer(model: VisionTransformer, name: str, layer: torch.nn.Module) -> None:
    """Put another layer in the place of the encoder's linear layer of that name."""
    parent, _, child = name.rpartition(".")
    setattr(model.encoder.get_submodule(parent), child, layer)
