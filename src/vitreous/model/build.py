"""From a name or a config to a model."""

from typing import Any

import torch

from vitreous.model.bit import BiT
from vitreous.model.classifier import Classifier
from vitreous.model.config import ModelConfig
from vitreous.model.resnet import ResNet
from vitreous.model.variants import variant_config
from vitreous.model.vit import VisionTransformer

_NETWORKS: dict[str, type[Any]] = {"vit": VisionTransformer, "bit": BiT, "resnet": ResNet}


def create_model(model: str | ModelConfig, **overrides: Any) -> Classifier:
    """A model with its source's random initial values.

    >>> model = create_model("ViT-B/16", num_classes=10)

    Args:
        model: A name (see `list_models`) or a whole config.
        **overrides: Fields of its config, where `model` is a name.

    Raises:
        UserError: Unknown name or field, or fields that contradict one another.
    """
    config = variant_config(model, **overrides) if isinstance(model, str) else model
    network = empty_model(config, device=torch.get_default_device())
    network.reset_parameters()
    return network


def empty_model(config: ModelConfig, device: torch.device | str = "meta") -> Classifier:
    """A model whose parameters hold nothing yet: for loading into, or counting on `meta`."""
    with torch.device("meta"):
        network: Classifier = _NETWORKS[config.kind](config)
    return network if str(device) == "meta" else network.to_empty(device=device)
