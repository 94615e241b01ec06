import numpy as np
import torch

from vitreous.analysis.colour_map import colour_map


def test_what_is_alike_has_one_colour() -> None:
    """Two kinds of patches that differ along one direction: black and white in one channel."""
    tokens = torch.zeros(2, 2, 3, 5)
    tokens[:, 0, :, 2] = 4
    colours = colour_map(tokens)
    assert colours.shape == (2, 2, 3, 3)
    np.testing.assert_allclose(np.abs(colours[:, 0, :, 0] - colours[:, 1, :, 0]), 1, atol=1e-9)
    np.testing.assert_array_equal(colours[..., 1:], 0.5)


def test_few_and_flat_features() -> None:
    np.testing.assert_array_equal(colour_map(torch.ones(1, 2, 2, 8)), 0.5)
    assert colour_map(torch.randn(1, 1, 2, 2)).shape == (1, 1, 2, 3)


def test_colours_are_shares() -> None:
    colours = colour_map(torch.randn(2, 4, 4, 9, generator=torch.Generator().manual_seed(0)))
    assert colours.min() == 0
    assert colours.max() == 1
