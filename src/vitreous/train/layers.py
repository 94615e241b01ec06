"""How deep in the network a parameter lies, counted in steps that may differ in learning rate."""

from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.residual_config import ResidualConfig


def last_layer(config: ModelConfig) -> int:
    """The number of the head's layer, which the final norm and the pool share.

    A Transformer of L blocks counts L + 1, a ResNet of n stages n + 1.

    Raises:
        TypeError: A kind of model that has no count yet.
    """
    match config:
        case ViTConfig():
            return config.depth + 1
        case ResidualConfig():
            return len(config.units) + 1
    raise TypeError(f"layers of a {type(config).__name__} are not counted")


def layer_of(name: str, config: ModelConfig) -> int:
    """The layer of a parameter: 0 for what makes the tokens, then block by block to the head.

    Layer 0 holds the patch projection, a hybrid's whole ResNet stem, class token, registers and
    positions of a Transformer, and the root of a ResNet, whose stages are a layer each.

    Source: MAE's fine-tuning (arXiv 2111.06377, appendix A.1), after BEiT (arXiv 2106.08254).

    Args:
        name: As in `named_parameters`.
        config: Of the model.
    """
    parts = name.split(".")
    if name.startswith("encoder.blocks."):
        return int(parts[2]) + 1
    if parts[0] == "stages":
        return int(parts[1]) + 1
    if parts[0] in ("encoder", "pool", "pooled_norm", "pre_logits", "norm", "head"):
        return last_layer(config)
    return 0
