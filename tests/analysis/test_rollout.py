from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitreous.analysis.attention import read_by_head
from vitreous.analysis.rollout import follow, rollout, with_residual
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

Recorded = Callable[..., Recording]
EXACT = {"atol": 1e-6, "rtol": 0}


def test_identity_stays_identity(recorded: Recorded) -> None:
    eye = torch.eye(5)
    rolled = rollout(recorded([eye.expand(2, 3, 5, 5)] * 4, (2, 2), 1))
    torch.testing.assert_close(rolled, eye.expand(2, 5, 5), **EXACT)


def test_uniform_attention_forgets_half_in_each_layer(recorded: Recorded) -> None:
    rows = torch.full((1, 2, 4, 4), 0.25)
    rolled = rollout(recorded([rows] * 3, (2, 2), 0))
    expected = torch.eye(4) / 8 + torch.full((4, 4), 7 / 8 / 4)
    torch.testing.assert_close(rolled[0], expected, **EXACT)


def test_the_order_of_layers(recorded: Recorded) -> None:
    """Token 1 takes from token 2, and only then token 0 from token 1; the other way round not."""
    first, second = torch.eye(3), torch.eye(3)
    first[1], second[0] = torch.tensor([0.0, 0, 1]), torch.tensor([0.0, 1, 0])
    rolled = rollout(recorded([first[None, None], second[None, None]], (1, 3), 0))
    torch.testing.assert_close(rolled[0, 0], torch.tensor([0.5, 0.25, 0.25]), **EXACT)
    rolled = rollout(recorded([second[None, None], first[None, None]], (1, 3), 0))
    torch.testing.assert_close(rolled[0, 0], torch.tensor([0.5, 0.5, 0.0]), **EXACT)


def test_heads_are_averaged(recorded: Recorded) -> None:
    rows = torch.stack([torch.eye(2), torch.eye(2).flip(0)])[None]
    rolled = rollout(recorded([rows], (1, 2), 0))
    torch.testing.assert_close(rolled[0], torch.tensor([[0.75, 0.25], [0.25, 0.75]]), **EXACT)


@given(st.integers(2, 7), st.integers(1, 4), st.integers(0, 99))
def test_rows_sum_to_one(tokens: int, layers: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rolled = None
    for _ in range(layers):
        attention = (9 * torch.randn(2, 3, tokens, tokens, generator=generator)).softmax(-1)
        rolled = follow(rolled, attention)
    torch.testing.assert_close(rolled.sum(-1), torch.ones(2, tokens), **EXACT)


def test_a_row_without_attention_keeps_itself() -> None:
    torch.testing.assert_close(with_residual(torch.zeros(1, 3, 3))[0], torch.eye(3))


@pytest.mark.parametrize("layers", [[], [1, 2], [0, 2]])
def test_a_missing_layer_is_refused(recorded: Recorded, layers: list[int]) -> None:
    recording = recorded([torch.eye(3)[None, None]] * 3, (1, 3), 0)
    recording.attention = {layer: recording.attention[layer] for layer in layers}
    with pytest.raises(ValueError, match="all layers"):
        rollout(recording)


def test_every_model(model: VisionTransformer, pictures: torch.Tensor) -> None:
    recording, streamed = Recording(attention="all"), []

    def reduce(recording: Recording, layer: int) -> None:
        before = streamed.pop() if streamed else None
        streamed.append(follow(before, recording.attention[layer]))

    with torch.no_grad():
        model(pictures, recording=recording)
        model(pictures, recording=Recording(attention="all", each=reduce))
    rolled = rollout(recording)
    torch.testing.assert_close(rolled, streamed[0])
    torch.testing.assert_close(rolled.sum(-1), torch.ones(rolled.shape[:2]))
    heat = read_by_head(rolled, recording.grid, recording.prefix, model.config.pooling)
    assert heat.shape == (2, *model.config.grid)
    assert (heat > 0).all()
    assert (heat.sum((1, 2)) <= 1 + 1e-6).all()
