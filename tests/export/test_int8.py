"""Integer layers: levels, and products equal to those computed with the same levels in floats."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from needs import needs_vnni
from vitreous.export.int8 import Int8Dense, Range, quantised_rows


@given(st.floats(-100, 100), st.floats(0.01, 100))
def test_a_level_is_never_further_than_half_a_step(low: float, width: float) -> None:
    measured = Range.of(low, low + width)
    x = torch.linspace(min(low, 0), max(low + width, 0), 300)
    back = measured.scale * (measured.levels(x).float() - measured.zero)
    # The ends themselves may lie half a step further, as zero is moved to a level.
    assert float((back - x).abs().max()) <= 1.01 * measured.scale
    assert measured.scale * (measured.levels(torch.zeros(1)).item() - measured.zero) == 0


def test_numbers_outside_go_to_the_ends() -> None:
    levels = Range.of(-1, 1).levels(torch.tensor([-9.0, 9.0]))
    assert levels.dtype == torch.uint8
    assert levels.tolist() == [0, 255]


@needs_vnni
@torch.no_grad()
def test_product_of_levels() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(64, 48), torch.randn(5, 7, 64)
    measured = Range.of(float(x.min()), float(x.max()))
    integer = Int8Dense(layer, measured, 35)
    rows, scale = quantised_rows(layer.weight)
    assert int(rows.min()) >= -127
    weight = rows.float() * scale[:, None]
    seen = measured.scale * (measured.levels(x).float() - measured.zero)
    expected = F.gelu(F.linear(seen, weight, layer.bias))
    torch.testing.assert_close(integer.activated(x, nn.GELU()), expected, rtol=1e-5, atol=1e-5)
    integer.output = Range.of(float(expected.min()), float(expected.max()))
    levels = integer.activated(x, nn.GELU())
    assert levels.dtype == torch.uint8
    back = integer.output.scale * (levels.float() - integer.output.zero)
    assert float((back - expected).abs().max()) < 0.51 * integer.output.scale
