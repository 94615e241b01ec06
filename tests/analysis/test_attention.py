from collections.abc import Callable

import pytest
import torch

from vitreous.analysis.attention import (
    among_patches,
    attention_by_head,
    head_attention,
    read_by_head,
)
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

Recorded = Callable[..., Recording]


def test_the_class_tokens_row_without_itself(recorded: Recorded) -> None:
    rows = torch.zeros(1, 2, 7, 7)
    rows[0, 0, 0] = torch.tensor([0.4, 0.6, 0, 0, 0, 0, 0])
    rows[0, 1, 0] = torch.tensor([0.8, 0, 0, 0, 0, 0, 0.2])
    recording = recorded([rows], (2, 3), 1)
    shares = head_attention(recording, 0, "token")
    torch.testing.assert_close(shares, torch.tensor([[[0.75, 0, 0], [0, 0, 0.25]]]))
    by_head = attention_by_head(recording, 0, "token")
    first, second = torch.zeros(2, 3), torch.zeros(2, 3)
    first[0, 0] = second[1, 2] = 1
    torch.testing.assert_close(by_head, torch.stack([first, second])[None])


def test_without_a_class_token_the_mean_of_all_rows(recorded: Recorded) -> None:
    rows = torch.eye(6).expand(1, 2, 6, 6).clone()
    rows[:, :, 1] = torch.tensor([1.0, 0, 0, 0, 0, 0])
    shares = head_attention(recorded([rows], (3, 2), 0), 0, "mean")
    torch.testing.assert_close(shares.flatten(), torch.tensor([2.0, 0, 1, 1, 1, 1]) / 6)


def test_a_class_token_that_the_head_does_not_read_is_left_out(recorded: Recorded) -> None:
    rows = torch.zeros(1, 1, 3, 3)
    rows[0, 0] = torch.tensor([[0, 1.0, 0], [0.5, 0, 0.5], [0, 0, 1.0]])
    shares = head_attention(recorded([rows], (1, 2), 1), 0, "mean")
    torch.testing.assert_close(shares.flatten(), torch.tensor([0.0, 1.0]))


def test_attention_that_goes_to_no_patch_is_nothing_and_no_nan(recorded: Recorded) -> None:
    rows = torch.zeros(1, 1, 3, 3)
    rows[..., 0] = 1
    recording = recorded([rows], (1, 2), 1)
    assert not head_attention(recording, 0, "token").any()
    assert not among_patches(recording, 0).any()


def test_among_patches_rows_sum_to_one_again(recorded: Recorded) -> None:
    rows = torch.rand(2, 3, 8, 8).softmax(-1)
    weights = among_patches(recorded([rows], (2, 3), 2), 0)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 6))
    torch.testing.assert_close(
        weights[0, 0, 1, 4] / weights[0, 0, 1, 5], rows[0, 0, 3, 6] / rows[0, 0, 3, 7]
    )


def test_what_the_head_reads_of_a_map() -> None:
    flow = torch.arange(16.0).view(4, 4)
    torch.testing.assert_close(read_by_head(flow, (1, 3), 1, "token"), torch.tensor([[1.0, 2, 3]]))
    torch.testing.assert_close(read_by_head(flow, (1, 3), 1, "mean"), torch.tensor([[9.0, 10, 11]]))


def test_shares_of_every_model_sum_to_one(model: VisionTransformer, pictures: torch.Tensor) -> None:
    recording = Recording(attention=[-1])
    with torch.no_grad():
        model(pictures, recording=recording)
    shares = head_attention(recording, 2, model.config.pooling)
    assert shares.shape == (2, *model.config.grid)
    torch.testing.assert_close(shares.sum((1, 2)), torch.ones(2))
    by_head = attention_by_head(recording, 2, model.config.pooling)
    torch.testing.assert_close(by_head.sum((2, 3)), torch.ones(2, 3))
    with pytest.raises(KeyError):
        head_attention(recording, 0, model.config.pooling)
