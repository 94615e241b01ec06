from collections.abc import Callable

import pytest
import torch

from vitreous.analysis.distance import attention_distance, patch_distances, uniform_distance
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

Recorded = Callable[..., Recording]
EXACT = {"atol": 1e-6, "rtol": 1e-6}


def test_pixels_between_patches() -> None:
    apart = patch_distances((2, 3), 16)
    assert apart.shape == (6, 6)
    assert apart[0, 1] == 16
    assert apart[0, 3] == 16
    assert float(apart[0, 5]) == pytest.approx(16 * 5**0.5, abs=1e-5)
    assert torch.equal(apart, apart.T)


def test_every_patch_attends_to_itself(recorded: Recorded) -> None:
    rows = torch.eye(12).expand(2, 3, 12, 12)
    distances = attention_distance(recorded([rows], (3, 4), 0), 0, 8)
    torch.testing.assert_close(distances, torch.zeros(2, 3), **EXACT)


@pytest.mark.parametrize("prefix", [0, 1, 3])
def test_uniform_attention(recorded: Recorded, prefix: int) -> None:
    """Two patches a side 10 pixels apart: 0, 10, 10 and the diagonal, wherever one stands."""
    size = 4 + prefix
    rows = torch.full((1, 1, size, size), 1 / size)
    expected = torch.tensor([[(20 + 200**0.5) / 4]])
    recording = recorded([rows], (2, 2), prefix)
    torch.testing.assert_close(attention_distance(recording, 0, 10), expected, **EXACT)
    assert uniform_distance((2, 2), 10) == pytest.approx(float(expected), abs=1e-6)


def test_one_far_patch_and_a_class_token_left_out(recorded: Recorded) -> None:
    """All look at the last of four in a row, with 90 % of their attention at the class token."""
    rows = torch.zeros(1, 2, 5, 5)
    rows[..., 0], rows[:, 0, :, 4], rows[:, 1, :, 1] = 0.9, 0.1, 0.1
    distances = attention_distance(recorded([rows], (1, 4), 1), 0, 16)
    torch.testing.assert_close(distances, torch.full((1, 2), 16 * (3 + 2 + 1 + 0) / 4), **EXACT)


def test_weights_set_by_hand(model: VisionTransformer, pictures: torch.Tensor) -> None:
    """Without queries and keys every token attends to all alike."""
    for block in model.encoder.blocks:
        inner = block.attention.inner
        torch.nn.init.zeros_(block.attention.qkv.weight[: 2 * inner])
        torch.nn.init.zeros_(block.attention.qkv.bias[: 2 * inner])
    recording = Recording(attention="all")
    with torch.no_grad():
        model(pictures, recording=recording)
    expected = uniform_distance(model.config.grid, 8)
    for layer in range(3):
        distances = attention_distance(recording, layer, model.config.patch)
        torch.testing.assert_close(distances, torch.full((2, 3), expected), atol=1e-5, rtol=1e-6)
