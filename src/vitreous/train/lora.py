"""Low-rank adapters: a trained model moved by a few numbers beside its frozen kernels."""

import math
from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vitreous.errors import UserError
from vitreous.model.attention import Attention
from vitreous.model.classifier import Classifier
from vitreous.model.encoder import MLP

# What parametrize puts between a layer's name and its tensors'.
_BETWEEN = ".parametrizations.weight."


class LowRank(nn.Module):
    """W + scale * up @ down, where W stays as it is.

    As a parametrisation of `weight` it is seen by whoever reads that, also by the last block, which
    reads the packed kernel in slices. `up` starts at zero, so that the model starts as it was.

    Source: Hu et al. 2021, arXiv 2106.09685, section 4.1; scale = alpha / rank.
    """

    def __init__(self, weight: Float[Tensor, "out inputs"], rank: int, scale: float) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.scale = scale
        self.down = nn.Parameter(weight.new_empty(rank, columns))
        self.up = nn.Parameter(weight.new_zeros(rows, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Float[Tensor, "out inputs"]) -> Float[Tensor, "out inputs"]:
        """The kernel that the layer works with."""
        return torch.addmm(weight, self.up, self.down, alpha=self.scale)


def attach(model: Classifier, rank: int, scale: float, targets: Iterable[str]) -> None:
    """Put adapters beside the kernels of the encoder; what is trained is decided elsewhere.

    Args:
        model: A Vision Transformer.
        rank: Columns of `up`.
        scale: Of the product.
        targets: Any of `vitreous.train.tuning.TARGETS`.

    Raises:
        UserError: The model has no encoder.
    """
    layers: list[nn.Linear] = []
    for module in model.modules():
        if isinstance(module, Attention):
            kernels = {"qkv": module.qkv, "projection": module.projection}
            chosen = [layer for name, layer in kernels.items() if name in targets]
            layers += [layer for layer in chosen if isinstance(layer, nn.Linear)]
        elif isinstance(module, MLP) and "mlp" in targets:
            layers += [module.expand, module.contract]
    if not layers:
        raise UserError(
            f"tuning.train lora moves the kernels of an encoder and {model.config.name} has none: "
            "choose all, head or last_blocks"
        )
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank, scale))


def merged(tensors: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """The state dict of the plain model: each adapter is added to its kernel.

    Args:
        tensors: State dict of a model with adapters; one without comes back as it is.
        scale: As the adapters have it.
    """
    plain = {}
    for name, tensor in tensors.items():
        layer, between, part = name.partition(_BETWEEN)
        if not between:
            plain[name] = tensor
        elif part == "original":
            up, down = (tensors[f"{layer}{_BETWEEN}0.{side}"] for side in ("up", "down"))
            plain[f"{layer}.weight"] = torch.addmm(tensor, up, down, alpha=scale)
    return plain
