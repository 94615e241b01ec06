"""From a name or a config to a model."""

from typing import Any

import torch

from vitreous.model.config import ViTConfig
from vitreous.model.variants import variant_config
from vitreous.model.vit import VisionTransformer


def create_model(model: str | ViTConfig, **overrides: Any) -> VisionTransformer:
    """A model with the paper's random initial values.

    >>> model = create_model("ViT-B/16", num_classes=10)

    Args:
        model: A name (see `list_models`) or a whole config.
        **overrides: Fields of `ViTConfig`, where `model` is a name.

    Raises:
        UserError: Unknown name or field, or fields that contradict one another.
    """
    config = variant_config(model, **overrides) if isinstance(model, str) else model
    network = empty_model(config, device=torch.get_default_device())
    network.reset_parameters()
    return network


def empty_model(config: ViTConfig, device: torch.device | str = "meta") -> VisionTransformer:
    """A model whose parameters hold nothing yet: for loading into, or counting on `meta`."""
    with torch.device("meta"):
        network = VisionTransformer(config)
    return network if str(device) == "meta" else network.to_empty(device=device)
