"""Small random models, and files of families made from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vitreous.model.build import empty_model
from vitreous.model.config import ViTConfig
from vitreous.model.vit import VisionTransformer
from vitreous.weights.npz import write_npz
from vitreous.weights.recognise import FAMILIES
from vitreous.weights.rule import to_theirs

SMALL = {
    "image_size": (16, 16),
    "patch": 4,
    "width": 64,
    "depth": 2,
    "mlp_width": 96,
    "heads": 1,
    "num_classes": 5,
}

Make = Callable[..., VisionTransformer]
Write = Callable[..., Path]


def random_model(**fields: Any) -> VisionTransformer:
    """Every tensor at random, those that start at zero or one too."""
    model = empty_model(ViTConfig(**(SMALL | fields)), device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2, generator=generator)
    return model


@pytest.fixture
def make() -> Make:
    return random_model


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a model in a family's layout, with tensors put in or taken out."""

    def write(model: VisionTransformer, name: str, layout: str = "", change: Any = None) -> Path:
        family = next(f for f in FAMILIES if (f.name, f.layout) == (name, layout))
        tensors = dict(to_theirs(family.rules(model.config), dict(model.state_dict())))
        tensors = tensors if change is None else change(tensors)
        file = tmp_path / f"{name}{family.suffix}"
        if family.suffix == ".npz":
            write_npz(file, iter(tensors.items()))
        else:
            save_file(tensors, file)
        return file

    return write
