"""What a run does not move: frozen before the first step, merged after the last."""

from collections.abc import Mapping

import torch
from torch import Tensor

from vitreous.errors import UserError
from vitreous.model.classifier import Classifier
from vitreous.train.layers import last_layer, layer_of
from vitreous.train.lora import attach, merged
from vitreous.train.tuning import TuningConfig


def tune(model: Classifier, config: TuningConfig) -> None:
    """Freeze what shall not move and, for `lora`, attach the adapters; in place.

    Raises:
        UserError: More blocks than the model has, or adapters for a model without an encoder.
    """
    if config.train == "all":
        return
    last = last_layer(model.config)
    if config.train == "last_blocks" and config.last_blocks >= last:
        raise UserError(
            f"tuning.last_blocks is {config.last_blocks} and {model.config.name} has {last - 1}: "
            "give fewer"
        )
    if config.train == "lora":
        attach(model, config.lora_rank, config.lora_scale, config.lora_targets)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_learns(name, model, config, last))


def _learns(name: str, model: Classifier, config: TuningConfig, last: int) -> bool:
    if name.startswith("head."):
        return True
    match config.train:
        case "last_blocks":
            return layer_of(name, model.config) >= last - config.last_blocks
        case "bias":
            return name.endswith("bias")
        case "attention":
            placing = name.startswith(("position.", "later_positions."))
            return placing or ".attention." in name
        case "lora":
            return name.endswith((".up", ".down"))
    return False


@torch.no_grad()
def plain_tensors(tensors: Mapping[str, Tensor], config: TuningConfig) -> dict[str, Tensor]:
    """The state dict of an ordinary model, from the one that was trained."""
    return merged(tensors, config.lora_scale)
