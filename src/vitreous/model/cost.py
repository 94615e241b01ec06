"""What a model costs: parameters, and multiply-adds of one image."""

from functools import lru_cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from vitreous.model.build import empty_model
from vitreous.model.config import ModelConfig
from vitreous.model.recording import Recording


def count_parameters(config: ModelConfig) -> int:
    """Learned numbers; nothing is allocated."""
    return sum(parameter.numel() for parameter in empty_model(config).parameters())


@lru_cache(maxsize=1024)  # a plan of many runs asks for the same few models
@torch.no_grad()
def multiply_adds(config: ModelConfig, image_size: tuple[int, int] | None = None) -> int:
    """Multiplications with an addition in the products of one forward pass, the unit of the field.

    Twice as many floating-point operations. PyTorch counts them, over a pass that computes nothing.
    All tokens go through all blocks, as the literature counts, though ours computes less of the
    last one; norms, softmax and additions are not counted.

    Args:
        config: The architecture.
        image_size: (H, W), pixels; the config's where not given.
    """
    model = empty_model(config).eval()
    images = torch.empty(1, config.channels, *(image_size or config.image_size), device="meta")
    whole = Recording(tokens=[-1]) if config.attention_layers else None
    with FlopCounterMode(display=False) as counter:
        model(images, whole)
    return int(counter.get_total_flops()) // 2
