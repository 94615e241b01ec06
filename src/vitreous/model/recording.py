"""What a forward pass is asked to keep."""

from collections.abc import Callable, Iterable
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from vitreous.errors import UserError

Layers = Iterable[int] | Literal["all"]
Kind = Literal["attention", "tokens", "queries", "keys", "values", "neurons"]
_KINDS: tuple[Kind, ...] = get_args(Kind)


class Recording:
    """Asks a forward pass for its inside; with none, the fused kernels run and keep nothing.

    >>> recording = Recording(attention=[-1])
    >>> logits = model(images, recording=recording)
    >>> recording.attention[11]  # (B, k, S, S), rows sum to one

    The logits equal those without a recording. A layer that the model lacks is refused before
    anything runs, so a recording is never silently empty. Where gradients are on, what is kept is
    part of the graph.

    With `each`, a layer is handed over as soon as it is done and dropped before the next one is
    made, so that a pass over any number of layers needs the memory of one:

    >>> Recording(attention="all", each=lambda recording, layer: distances.add(recording, layer))

    Attributes:
        attention: Attention weights (B, k, S, S) by layer, layers counted from 0.
        tokens: The output of blocks (B, S, D) by layer.
        queries: Queries (B, k, S, d) by layer, before they are scaled.
        keys: Keys (B, k, S, d) by layer.
        values: Values (B, k, S, d) by layer.
        neurons: Activations (B, S, F) of the MLP's hidden layer by layer.
        grid: (h, w) of the images that were seen.
        prefix: Tokens before the patches.
    """

    attention: dict[int, Float[Tensor, "B k S S"]]
    tokens: dict[int, Float[Tensor, "B S D"]]
    queries: dict[int, Float[Tensor, "B k S d"]]
    keys: dict[int, Float[Tensor, "B k S d"]]
    values: dict[int, Float[Tensor, "B k S d"]]
    neurons: dict[int, Float[Tensor, "B S F"]]
    grid: tuple[int, int]
    prefix: int

    def __init__(
        self,
        *,
        attention: Layers = (),
        tokens: Layers = (),
        queries: Layers = (),
        keys: Layers = (),
        values: Layers = (),
        neurons: Layers = (),
        each: Callable[["Recording", int], None] | None = None,
    ) -> None:
        asked = (attention, tokens, queries, keys, values, neurons)
        # An iterator would ask for nothing the second time.
        self._wanted: dict[Kind, tuple[int, ...] | Literal["all"]] = {
            kind: "all" if isinstance(layers, str) else tuple(map(int, layers))
            for kind, layers in zip(_KINDS, asked, strict=True)
        }
        if not any(self._wanted.values()):
            raise UserError("a recording must ask for something: give attention= or tokens= layers")
        self._each = each
        self._forget()

    def begin(self, depth: int, grid: tuple[int, int], prefix: int) -> None:
        """Called by the model: forget the last pass, resolve layers against this model's depth."""
        self._forget()
        self.grid, self.prefix = grid, prefix
        self._layers = {
            kind: frozenset(resolve_layers(layers, depth, f"record {kind}"))
            for kind, layers in self._wanted.items()
        }

    def wanted(self, layer: int) -> frozenset[Kind]:
        """What this pass shall keep of a layer."""
        return frozenset(kind for kind in _KINDS if layer in self._layers[kind])

    def keep(self, kind: Kind, layer: int, tensor: Tensor) -> None:
        """Called by the model: here is what was asked for."""
        getattr(self, kind)[layer] = tensor

    def finish(self, layer: int) -> None:
        """Called by the model after each layer: hand it over and drop it, where `each` asks."""
        if self._each is None or not self.wanted(layer):
            return
        self._each(self, layer)
        for kind in _KINDS:
            getattr(self, kind).pop(layer, None)

    def _forget(self) -> None:
        for kind in _KINDS:
            setattr(self, kind, {})


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
