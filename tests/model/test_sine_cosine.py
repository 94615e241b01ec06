import math

import pytest
import torch

from vitreous.model.sine_cosine import sine_cosine, sine_cosine_1d


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


def test_the_original_transformers_values() -> None:
    """Sines in even columns, cosines in odd ones; the rates fall from 1 to 10000^(-(D - 2) / D)."""
    table = sine_cosine_1d(5, 6)
    assert table.shape == (5, 6)
    for place in range(5):
        for column in range(6):
            angle = place / 10_000 ** (column // 2 * 2 / 6)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert table[place, column].item() == pytest.approx(expected, abs=1e-12)
    assert table[0].tolist() == [0, 1] * 3


def test_a_fixed_offset_is_one_linear_map() -> None:
    """PE(p + k) is a linear function of PE(p), the same for all p (section 3.5)."""
    table = sine_cosine_1d(40, 8)
    step = torch.linalg.lstsq(table[:-3], table[3:]).solution
    torch.testing.assert_close(table[:-3] @ step, table[3:], atol=1e-9, rtol=0)
    torch.testing.assert_close(table.norm(dim=1), torch.full((40,), 2.0, dtype=table.dtype))
