"""What a forward pass is asked to keep."""

from collections.abc import Iterable
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from vitreous.errors import UserError

Layers = Iterable[int] | Literal["all"]


class Recording:
    """Asks a forward pass for its inside; with none, the fused kernels run and keep nothing.

    >>> recording = Recording(attention=[-1])
    >>> logits = model(images, recording=recording)
    >>> recording.attention[11]  # (B, k, S, S), rows sum to one

    The logits equal those without a recording. A layer that the model lacks is refused before
    anything runs, so a recording is never silently empty.

    Attributes:
        attention: Attention weights (B, k, S, S) by layer, layers counted from 0.
        tokens: The output of blocks (B, S, D) by layer.
        grid: (h, w) of the images that were seen.
        prefix: Tokens before the patches.
    """

    attention: dict[int, Float[Tensor, "B k S S"]]
    tokens: dict[int, Float[Tensor, "B S D"]]
    grid: tuple[int, int]
    prefix: int

    def __init__(self, *, attention: Layers = (), tokens: Layers = ()) -> None:
        # An iterator would ask for nothing the second time.
        self._wanted: dict[str, tuple[int, ...] | Literal["all"]] = {
            what: "all" if isinstance(layers, str) else tuple(map(int, layers))
            for what, layers in (("attention", attention), ("tokens", tokens))
        }
        if not any(self._wanted.values()):
            raise UserError("a recording must ask for something: give attention= or tokens= layers")
        self.attention, self.tokens = {}, {}

    def begin(self, depth: int, grid: tuple[int, int], prefix: int) -> None:
        """Called by the model: forget the last pass, resolve layers against this model's depth."""
        self.attention, self.tokens = {}, {}
        self.grid, self.prefix = grid, prefix
        self._layers = {
            what: frozenset(resolve_layers(layers, depth, f"record {what}"))
            for what, layers in self._wanted.items()
        }

    def wants(self, what: Literal["attention", "tokens"], layer: int) -> bool:
        """Whether this pass shall keep `what` of `layer`."""
        return layer in self._layers[what]


def resolve_layers(layers: Layers, depth: int, what: str) -> tuple[int, ...]:
    """Layers counted from 0, in the order asked for; negative ones count from the end.

    Args:
        layers: Numbers, or `all`.
        depth: L.
        what: That is asked of them, for the message.

    Raises:
        UserError: The model lacks one.
    """
    if isinstance(layers, str):
        return tuple(range(depth))
    resolved = tuple(layers)
    for layer in resolved:
        if not -depth <= layer < depth:
            raise UserError(f"no layer {layer} to {what} of: the model has 0 to {depth - 1}")
    return tuple(layer % depth for layer in resolved)
