"""Small models of every kind as subjects, and the application behind the page."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from vitreous.explorer.app import Explorer
from vitreous.explorer.subject import Subject
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import create_model
from vitreous.model.classifier import Classifier
from vitreous.model.config import ViTConfig
from vitreous.model.resnet_config import ResNetConfig
from vitreous.parallel.device import choose_engine

KINDS: dict[str, dict[str, Any]] = {
    "class token": {},
    "mean": {"pooling": "mean", "class_token": False},
    "map": {"pooling": "map", "class_token": False},
    "registers": {"registers": 2, "prefix_positions": False},
    "distilled": {"registers": 1, "pooling": "distilled"},
    "hybrid": {"stem": (1,), "stem_width": 32},
    "square": {"image_size": (24, 24)},
    "grey": {"channels": 1},
    "headless": {"num_classes": 0},
    "remainder": {"image_size": (27, 43), "drop_remainder": True},
}


def randomised(model: Classifier) -> Classifier:
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        torch.nn.init.normal_(parameter, centre, 0.3)
    return model


@pytest.fixture
def make_subject() -> Callable[..., Subject]:
    """A small model on 3 x 5 patches of 8 pixels, with some fields changed."""

    def make(name: str = "small", **fields: Any) -> Subject:
        sizes = {"image_size": (24, 40), "patch": 8, "width": 24, "depth": 3, "mlp_width": 40}
        config = ViTConfig(**{**sizes, "heads": 3, "num_classes": 7, "name": "ViT-small", **fields})
        model = randomised(create_model(config))
        return Subject(name, model, choose_engine("cpu", "float32"))

    return make


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest, make_subject: Callable[..., Subject]) -> Subject:
    """One of each kind."""
    return make_subject(**KINDS[request.param])


@pytest.fixture(params=[BiTConfig, ResNetConfig])
def resnet(request: pytest.FixtureRequest) -> Subject:
    """A model without attention."""
    sizes = {"image_size": (32, 48), "units": (1,), "stem_width": 32, "num_classes": 4}
    config = request.param(name="BiT", **sizes)
    return Subject("resnet", randomised(create_model(config)), choose_engine("cpu", "float32"))


@pytest.fixture
def photo() -> bytes:
    """An image file, larger than the models see."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(256, size=(60, 90, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def serving() -> Iterator[Callable[..., TestClient]]:
    """A client of an explorer of some subjects."""
    clients = []

    def make(*subjects: Subject, **options: Any) -> TestClient:
        app = Explorer(subjects, **options).app()
        client = TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)
        clients.append(client.__enter__())
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)
