"""The gathered form against the definition, pair by pair."""

import pytest
import torch

from vitreous.model.attention import Attention, _by_head
from vitreous.model.relative_position import RelativePosition, offsets


def test_offsets_are_clipped_and_the_prefix_has_none() -> None:
    rows = offsets(4, 1, 2, torch.device("cpu"))
    assert rows.tolist() == [
        [5, 5, 5, 5, 5],
        [5, 2, 3, 4, 4],
        [5, 1, 2, 3, 4],
        [5, 0, 1, 2, 3],
        [5, 0, 0, 1, 2],
    ]


def test_unclipped_there_is_a_key_for_each_offset(tiny) -> None:
    assert len(RelativePosition(tiny(position="relative")).keys) == 2 * 15 - 1
    assert len(RelativePosition(tiny(position="relative", position_reach=4)).keys) == 9
    assert len(RelativePosition(tiny(position="relative", position_reach=99)).keys) == 29


@pytest.mark.parametrize("name", ["relative", "relative_values"])
@pytest.mark.parametrize("read", [None, 1])
@pytest.mark.parametrize("grad", [False, True])
def test_it_is_the_definition(tiny, name, read, grad) -> None:
    config = tiny(position=name, position_reach=3)
    torch.manual_seed(0)
    position = RelativePosition(config)
    attention = Attention(config, position)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randn(2, 16, 24)
    q, k, v = _by_head(attention._packed(x))
    logits, S, d = q @ k.mT, 16, 8
    keys = torch.zeros(S, S, d)
    values = torch.zeros(S, S, d)
    for p in range(1, S):
        for other in range(1, S):
            row = max(-3, min(3, other - p)) + 3
            keys[p, other] = position.keys[row]
            if position.values is not None:
                values[p, other] = position.values[row]
    logits = logits + torch.einsum("bkpd,pqd->bkpq", q, keys)
    weights = (logits / d**0.5).softmax(3)
    heads = weights @ v + torch.einsum("bkpq,pqd->bkpd", weights, values)
    expected = attention._join(heads)[:, :read]
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(attention(x, read), expected, atol=1e-5, rtol=1e-4)
        out, inside = attention.forward_recorded(x, frozenset({"attention"}))
    torch.testing.assert_close(inside["attention"], weights, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(out[:, :read], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["relative", "relative_values"])
@pytest.mark.parametrize("grad", [False, True])
def test_bfloat16(tiny, name, grad) -> None:
    """Where the plain softmax would be explicit, and would know nothing of positions."""
    torch.manual_seed(0)
    attention = Attention(tiny(position=name), RelativePosition(tiny(position=name)))
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randn(2, 16, 24)
    exact = attention(x)
    with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16):
        found = attention(x)
        attention.position = None
        without = attention(x)
    size = exact.abs().max()
    assert (found - exact).abs().max() < 0.1 * size
    assert (without - exact).abs().max() > 0.3 * size
