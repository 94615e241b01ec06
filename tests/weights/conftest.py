from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vitreous.data.preprocessing import Preprocessing
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.vit import VisionTransformer
from vitreous.weights.passport import Passport
from vitreous.weights.save import save


@pytest.fixture
def trained() -> Callable[..., VisionTransformer]:
    """A small model of three named classes, as if trained: nothing is zero."""

    def make(**fields: Any) -> VisionTransformer:
        torch.manual_seed(0)
        shape = {"image_size": (16, 24), "patch": 8, "width": 12, "depth": 2, "mlp_width": 20}
        config = ViTConfig(**{**shape, "heads": 2, "num_classes": 3, **fields})
        model = create_model(config).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        model.passport = Passport(
            architecture=config,
            preprocessing=Preprocessing(
                size=config.image_size, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), fit="squash"
            ),
            class_names=("daisy", "rose", "tulip")[: config.num_classes],
            origin={"data": "flowers", "seed": 3},
            metrics={"accuracy": 0.5},
        )
        return model

    return make


@pytest.fixture
def saved(trained: Callable[..., VisionTransformer], tmp_path: Path) -> Path:
    """The file of such a model."""
    path = tmp_path / "model.safetensors"
    save(trained(), path)
    return path
