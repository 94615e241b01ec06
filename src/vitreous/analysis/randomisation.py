"""Does a heat-map depend on what the model learnt? Its weights are randomised, and one looks."""

import copy
from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.analysis.trust import rank_correlation
from vitreous.model.vit import VisionTransformer

Maps = Mapping[str, Float[Tensor, "h w"]]


def cascading_randomisation(
    model: VisionTransformer,
    draw_maps: Callable[[VisionTransformer], Maps],
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Randomise a model from its head down to its patches, and compare the maps at each station.

    A map that stays as it was tells of the image or the architecture, not of what was learnt.
    Every parameter is drawn again with its own mean and standard deviation, station after station:
    head, then the last block, ..., the first block, then everything before it.

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps", arXiv 1810.03292, section 3:
    cascading randomisation, compared by Spearman's rank correlation without absolute values.

    Args:
        model: Left as it is; a copy is randomised.
        draw_maps: The heat-maps of one image, by the name of their method.
        seed: Of the draws.

    Returns:
        By station (`head`, `block 11`, ..., `block 0`, `patches`), then by method: the rank
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


def _stations(model: VisionTransformer) -> Iterator[tuple[str, list[nn.Parameter]]]:
    """Parameters from the head down, each once."""
    blocks = list(model.encoder.blocks)
    in_blocks = {id(p) for p in model.encoder.blocks.parameters()}
    behind = (model.encoder.norm, model.pool, model.pooled_norm, model.pre_logits, model.head)
    above = [p for module in behind for p in module.parameters()]
    yield "head", above
    for layer in reversed(range(len(blocks))):
        yield f"block {layer}", list(blocks[layer].parameters())
    seen = in_blocks | {id(p) for p in above}
    yield "patches", [p for p in model.parameters() if id(p) not in seen]
