"""A model one of whose neurons makes artifacts, planted by hand, and images that set it off."""

from typing import Any

import numpy as np
import torch

from vitreous.data.batch import normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

LAYER, NEURON = 1, 17
BRIGHT = [[2, 7], [11], [5]]  # patches of each image


def planted(**fields: Any) -> VisionTransformer:
    """A small model, one of whose neurons is on at bright patches and writes a huge token."""
    torch.manual_seed(0)
    config = ViTConfig(
        image_size=(24, 40), patch=8, width=24, depth=4, mlp_width=40, heads=3, num_classes=7,
        **fields,
    )  # fmt: skip
    model = create_model(config).eval()
    assert isinstance(model, VisionTransformer)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                torch.nn.init.normal_(parameter, 0.0, 0.1)
        images = bright_images()
        recording = Recording(tokens=[LAYER - 1])
        model(images, recording=recording)
        block = model.encoder.blocks[LAYER]
        x = recording.tokens[LAYER - 1]
        x = x + block.attention(block.norm_attention(x))
        y = block.norm_mlp(x)
        own = torch.zeros(y.shape[:2], dtype=torch.bool)
        for image, patches in enumerate(BRIGHT):
            own[image, [patch + config.prefix for patch in patches]] = True
        direction = y[own].mean(0) - y[~own].mean(0)
        on, off = (y[own] @ direction).min(), (y[~own] @ direction).max()
        assert on > off, "bright patches can be told from others"
        scale = 10 / (on - off)
        block.mlp.expand.weight[NEURON] = scale * direction
        block.mlp.expand.bias[NEURON] = -scale * (on + off) / 2
        block.mlp.contract.weight[:, NEURON] = 0
        block.mlp.contract.weight[3, NEURON] = 40
    return model


def bright_pixels() -> np.ndarray:
    """Three images of noise, some patches of which are white."""
    pixels = np.random.default_rng(0).integers(256, size=(3, 24, 40, 3), dtype=np.uint8)
    for image, patches in enumerate(BRIGHT):
        for patch in patches:
            row, column = divmod(patch, 5)
            pixels[image, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 255
    return pixels


def bright_images() -> torch.Tensor:
    """The same, as the model sees them."""
    half = (0.5, 0.5, 0.5)
    rule = Preprocessing(size=(24, 40), mean=half, std=half)
    return normalise(torch.from_numpy(bright_pixels()).permute(0, 3, 1, 2), rule)
