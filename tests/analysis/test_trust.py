import numpy as np
import pytest
import torch

from vitreous.analysis.trust import (
    Curve,
    is_informative,
    measure_trust,
    random_trust,
    rank_correlation,
)
from vitreous.model.vit import VisionTransformer


@pytest.fixture
def image() -> torch.Tensor:
    """One patch of four, of 2 x 2 pixels, is bright."""
    image = torch.zeros(1, 4, 4)
    image[:, :2, 2:] = 1
    return image


def sees_it(images: torch.Tensor) -> torch.Tensor:
    """Sure of class 1 where the bright patch is there, and of class 0 elsewhere."""
    there = images[:, 0, :2, 2:].mean((1, 2)) > 0.99
    return torch.stack([~there, there], dim=1) * 200.0 - 100


def test_a_map_that_marks_it(image: torch.Tensor) -> None:
    trust = measure_trust(sees_it, image, torch.tensor([[0.0, 1], [0, 0]]), 1)
    assert trust.deletion.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    np.testing.assert_allclose(trust.deletion.probabilities, [1, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(trust.insertion.probabilities, [0, 1, 1, 1, 1], atol=1e-6)
    assert trust.deletion.area == pytest.approx(0.125, abs=1e-6)
    assert trust.insertion.area == pytest.approx(0.875, abs=1e-6)


def test_a_map_that_misses_it(image: torch.Tensor) -> None:
    found = measure_trust(sees_it, image, torch.tensor([[3.0, 0], [2, 1]]), 1)
    np.testing.assert_allclose(found.deletion.probabilities, [1, 1, 1, 1, 0], atol=1e-6)
    chance = random_trust(sees_it, image, (2, 2), 1, draws=20)
    assert 0.3 < chance.deletion.area < 0.7
    assert not is_informative(found, chance)
    right = measure_trust(sees_it, image, torch.tensor([[0.0, 1], [0, 0]]), 1)
    assert is_informative(right, chance)


def test_a_class_that_is_there_by_itself(image: torch.Tensor) -> None:
    """Of a model of several labels a probability is the sigmoid of its own logit."""

    def both(images: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(images), 2) * 2

    half = torch.tensor(2.0).sigmoid().item()
    heat = torch.tensor([[0.0, 1], [0, 0]])
    for trust in (
        measure_trust(both, image, heat, 1, multi_label=True),
        random_trust(both, image, (2, 2), 1, multi_label=True),
    ):
        np.testing.assert_allclose(trust.deletion.probabilities, half, rtol=1e-6)
        np.testing.assert_allclose(trust.insertion.probabilities, half, rtol=1e-6)


def test_few_steps_take_many_patches(image: torch.Tensor) -> None:
    seen = []

    def count(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return torch.zeros(len(images), 2)

    trust = measure_trust(count, image.repeat(1, 10, 10), torch.rand(20, 20), 0, steps=5)
    assert seen == [6, 6]
    np.testing.assert_allclose(trust.deletion.shares, np.linspace(0, 1, 6))
    assert trust.deletion.area == pytest.approx(0.5)


def test_area() -> None:
    assert Curve(np.array([0, 0.5, 1]), np.array([1.0, 0, 1])).area == pytest.approx(0.5)


def test_rank_correlation() -> None:
    heat = torch.tensor([[1.0, 2], [3, 4]])
    ties = torch.tensor([[1.0, 1], [2, 2]])
    others = {"same": heat**3, "turned": -heat, "flat": torch.ones(2, 2), "ties": ties}
    found = rank_correlation(dict.fromkeys(others, heat), others)
    expected = {"same": 1, "turned": -1, "flat": 0, "ties": 4 / 20**0.5}
    assert found == pytest.approx(expected, abs=1e-9)


def test_every_model(model: VisionTransformer, pictures: torch.Tensor) -> None:
    heat = torch.rand(model.config.grid)
    trust = measure_trust(model, pictures[0], heat, 2)
    with torch.no_grad():
        whole = float(model(pictures[:1]).softmax(1)[0, 2])
        nothing = float(model(torch.zeros_like(pictures[:1])).softmax(1)[0, 2])
    assert trust.deletion.probabilities[[0, -1]] == pytest.approx([whole, nothing], abs=1e-5)
    assert trust.insertion.probabilities[-1] == pytest.approx(whole, abs=1e-5)
