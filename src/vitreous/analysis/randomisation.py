"""Does a heat-map depend on what the model learnt? Its weights are randomised, and one looks."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.analysis.trust import rank_correlation
from vitreous.model.vit import VisionTransformer

Maps = Mapping[str, Float[Tensor, "h w"]]
M = TypeVar("M", bound=nn.Module)


def cascading_randomisation(
    model: M,
    draw_maps: Callable[[M], Maps],
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Randomise a model from its head down to its patches, and compare the maps at each station.

    A map that stays as it was tells of the image or the architecture, not of what was learnt.
    Every parameter is drawn again with its own mean and standard deviation, station after station:
    head, then the last block, ..., the first block, then everything before it; of a model without
    blocks, its parts from the last to the first.

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps", arXiv 1810.03292, section 3:
    cascading randomisation, compared by Spearman's rank correlation without absolute values.

    Args:
        model: Left as it is; a copy is randomised.
        draw_maps: The heat-maps of one image, by the name of their method.
        seed: Of the draws.

    Returns:
        By station (`head`, `block 12`, ..., `block 1`, `patches`), then by method: the rank
        correlation with the maps of the model as it was, in [-1, 1].
    """
    reference = draw_maps(model)
    broken = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for station, parameters in _stations(broken):
        for parameter in parameters:
            _redraw(parameter, generator)
        found[station] = rank_correlation(reference, draw_maps(broken))
    return found


@torch.no_grad()
def _redraw(parameter: nn.Parameter, generator: torch.Generator) -> None:
    mean, deviation = float(parameter.mean()), float(parameter.std(correction=0))
    drawn = torch.randn(parameter.shape, generator=generator)
    parameter.copy_(mean + deviation * drawn)


def _stations(model: nn.Module) -> Iterator[tuple[str, list[nn.Parameter]]]:
    """Parameters from the head down, each once."""
    if not isinstance(model, VisionTransformer):
        for name, module in reversed(list(model.named_children())):
            if parameters := list(module.parameters()):
                yield name, parameters
        return
    behind = (model.encoder.norm, model.pool, model.pooled_norm, model.pre_logits, model.head)
    above = [p for module in behind for p in module.parameters()]
    yield "head", above
    for layer in reversed(range(len(model.encoder.blocks))):
        yield f"block {layer + 1}", list(model.encoder.blocks[layer].parameters())
    seen = {id(p) for p in (*above, *model.encoder.parameters())}
    yield "patches", [p for p in model.parameters() if id(p) not in seen]
