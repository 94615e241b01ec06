import numpy as np
import torch

from vitreous.analysis.filters import filter_components
from vitreous.model.vit import VisionTransformer


def test_filters_along_two_directions() -> None:
    """Filters that vary along two pixels alone: those are the components, by their variance."""
    kernel = torch.full((4, 1, 2, 2), 7.0)
    kernel[0, 0, 0, 1] += 3
    kernel[1, 0, 0, 1] -= 3
    kernel[2, 0, 1, 0] += 1
    kernel[3, 0, 1, 0] -= 1
    found = filter_components(kernel)
    np.testing.assert_allclose(found.explained, [0.9, 0.1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs(found.images[0, 0]), [[0, 1], [0, 0]], atol=1e-12)
    np.testing.assert_allclose(np.abs(found.images[1, 0]), [[0, 0], [1, 0]], atol=1e-12)


def test_filters_that_are_all_the_same() -> None:
    found = filter_components(torch.ones(5, 3, 2, 2), limit=4)
    assert found.images.shape == (4, 3, 2, 2)
    assert not found.explained.any()


def test_every_model(model: VisionTransformer) -> None:
    kernel = model.patch.weight
    found = filter_components(kernel, limit=6)
    flat = found.images.reshape(6, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(6), atol=1e-9)
    assert (np.diff(found.explained) <= 0).all()
    assert 0 < found.explained.sum() <= 1 + 1e-9
