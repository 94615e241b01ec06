"""Small models, as if trained or at random, and files made from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vitreous.data.preprocessing import Preprocessing
from vitreous.model.build import create_model, empty_model
from vitreous.model.config import ViTConfig
from vitreous.model.vit import VisionTransformer
from vitreous.weights.npz import write_npz
from vitreous.weights.passport import Passport
from vitreous.weights.recognise import FAMILIES
from vitreous.weights.rule import to_theirs
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
