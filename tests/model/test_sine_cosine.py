import math

import pytest
import torch

from vitreous.model.sine_cosine import sine_cosine


def test_known_values() -> None:
    table = sine_cosine((2, 3), 8, torch.device("cpu"))
    assert table.shape == (6, 8)
    row, column = 1, 2
    angles = [row, row / 100, column, column / 100]  # rates 1 and 10000^(-1/2)
    sines, cosines = ([f(angle) for angle in angles] for f in (math.sin, math.cos))
    expected = sines[:2] + cosines[:2] + sines[2:] + cosines[2:]
    assert table[row * 3 + column].tolist() == pytest.approx(expected, abs=1e-6)


def test_every_place_has_its_own_and_all_are_as_long() -> None:
    table = sine_cosine((7, 5), 16, torch.device("cpu"))
    assert torch.cdist(table, table).fill_diagonal_(1).min() > 0.1
    torch.testing.assert_close(table.norm(dim=1), torch.full((35,), 8**0.5))
