"""One image, explained."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vitreous.errors import UserError
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import choose_engine
from vitreous.report.embedding import add_embedding
from vitreous.report.findings import Findings
from vitreous.report.image_view import add_image, light, painted
from vitreous.weights.passport import passport_of

Small = Callable[..., VisionTransformer]
METHODS = ["attention", "rollout", "gradient rollout", "relevance"]
PIXELS = np.random.default_rng(0).integers(256, size=(60, 90, 3), dtype=np.uint8)


def explain(model: VisionTransformer, **options: Any) -> Findings:
    findings = Findings("noise.png", [])
    engine = choose_engine("cpu", "float32")
    channels = model.config.channels
    add_image(findings, model, passport_of(model), PIXELS[..., :channels], engine, **options)
    return findings


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pooling": "mean", "class_token": False},
        {"registers": 2},
        {"stem": (1,), "stem_width": 32},
        {"channels": 1, "depth": 1, "heads": 1},
        {"image_size": (8, 8), "patch": 4},
    ],
)
def test_every_kind_of_model(small_model: Small, fields: dict[str, Any]) -> None:
    findings = explain(small_model(**fields))
    numbers = json.loads(json.dumps(findings.numbers))
    assert list(numbers["maps"]) == METHODS
    grid = small_model(**fields).config.grid
    for found in numbers["maps"].values():
        assert np.array(found["heat"]).shape == grid
        assert 0 <= found["deletion_area"] <= 1
        assert isinstance(found["informative"], bool)
        assert all(-1 <= value <= 1 for value in found["after_randomisation"].values())
    assert [part.identifier for part in findings.sections] == [
        "maps",
        "trust",
        "heads",
        "patches",
        "layers",
    ]
    assert numbers["images"] == 1
    assert (
        len(numbers["heads"]) == small_model(**fields).config.depth * numbers["heads"][-1]["head"]
    )


def test_the_class_that_was_asked_for(small_model: Small) -> None:
    model = small_model()
    most, asked = explain(model), explain(model, target="6")
    assert most.numbers["explained"] == most.numbers["predictions"][0]["name"] != "6"
    assert asked.numbers["explained"] == "6"
    assert "Explained is “6”" in " ".join(asked.reading)
    heats = [np.array(f.numbers["maps"]["relevance"]["heat"]) for f in (most, asked)]
    assert not np.allclose(*heats)
    with pytest.raises(UserError, match="no class 'rose': it knows 0, 1"):
        explain(model, target="rose")


def test_several_labels_have_probabilities_of_their_own(small_model: Small) -> None:
    model = small_model()
    with torch.no_grad():
        model.head.bias.fill_(9.0)
    model.passport = replace(passport_of(model), multi_label=True)
    findings = explain(model)
    assert all(row["probability"] > 0.9 for row in findings.numbers["predictions"])
    curve = [row["probability_deletion"] for row in findings.tables["trust"]]
    assert min(curve) > 0.9


def test_a_model_without_a_head(small_model: Small) -> None:
    findings = explain(small_model(num_classes=0))
    assert list(findings.numbers["maps"]) == ["attention", "rollout"]
    assert "no head" in findings.reading[0]
    assert "trust" not in [part.identifier for part in findings.sections]


class Convolutions(nn.Module):
    """A model without attention."""

    def __init__(self) -> None:
        super().__init__()
        self.root = nn.Conv2d(3, 8, 5, 2)
        self.head = nn.Linear(8, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.root(images).relu().mean((2, 3)))


def test_a_model_without_attention_is_explained_by_occlusion(small_model: Small) -> None:
    torch.manual_seed(0)
    findings, model = Findings("noise.png", []), Convolutions()
    passport = passport_of(small_model())
    add_image(findings, model, passport, PIXELS, choose_engine("cpu", "float32"))
    add_embedding(findings, model)
    assert list(findings.numbers["maps"]) == ["occlusion"]
    found = findings.numbers["maps"]["occlusion"]
    assert list(found["after_randomisation"]) == ["head", "root"]
    assert [part.identifier for part in findings.sections] == ["maps", "trust", "weights"]


def test_artifacts_are_named(small_model: Small) -> None:
    """A position whose embedding is far longer than the others' makes a long token."""
    model = small_model(depth=1)
    with torch.no_grad():
        model.position.table[1 + 5 + 2] *= 40
    findings = explain(model)
    assert findings.numbers["tokens"]["artifacts"] == [{"row": 2, "column": 3}]
    (patches,) = (part.text for part in findings.sections if part.identifier == "patches")
    assert (
        "1 token is an artifact, over three times as long as the median (row 2, column 3)"
        in patches
    )


def test_light_runs_from_the_least_to_the_most() -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    lit = light(white, np.array([[3.0, 4], [3, 5]]))
    assert lit.max() == 255
    assert lit.min() < 40
    assert not np.ptp(light(white, np.ones((2, 2))))


def test_painted() -> None:
    colours = painted(np.array([[0.0, 1.0]]), 0, 1)
    assert colours[0, 0].tolist() == [68, 1, 84]
    assert colours[0, 1].tolist() == [253, 231, 36]
