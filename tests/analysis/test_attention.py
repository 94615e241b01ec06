import pytest
import torch

from vitreous.analysis.attention import head_attention
from vitreous.model.build import create_model
from vitreous.model.recording import Recording


def recorded(weights: torch.Tensor, grid: tuple[int, int], prefix: int) -> Recording:
    recording = Recording(attention=[0])
    recording.begin(1, grid, prefix)
    recording.attention[0] = weights
    return recording


def test_the_class_tokens_row_without_itself() -> None:
    rows = torch.zeros(1, 2, 7, 7)
    rows[0, 0, 0] = torch.tensor([0.4, 0.6, 0, 0, 0, 0, 0])
    rows[0, 1, 0] = torch.tensor([0.8, 0, 0, 0, 0, 0, 0.2])
    shares = head_attention(recorded(rows, (2, 3), 1), 0, "token")
    expected = torch.tensor([[[0.75, 0, 0], [0, 0, 0.25]]])
    torch.testing.assert_close(shares, expected)


def test_without_a_class_token_the_mean_of_all_rows() -> None:
    rows = torch.eye(6).expand(1, 2, 6, 6).clone()
    rows[:, :, 1] = torch.tensor([1.0, 0, 0, 0, 0, 0])
    shares = head_attention(recorded(rows, (3, 2), 0), 0, "mean")
    torch.testing.assert_close(shares.flatten(), torch.tensor([2.0, 0, 1, 1, 1, 1]) / 6)


def test_a_class_token_that_the_head_does_not_read_is_left_out() -> None:
    rows = torch.zeros(1, 1, 3, 3)
    rows[0, 0] = torch.tensor([[0, 1.0, 0], [0.5, 0, 0.5], [0, 0, 1.0]])
    shares = head_attention(recorded(rows, (1, 2), 1), 0, "mean")
    torch.testing.assert_close(shares.flatten(), torch.tensor([0.0, 1.0]))


@pytest.mark.parametrize("pooling", ["token", "mean"])
def test_shares_of_a_real_model_sum_to_one(pooling: str) -> None:
    model = create_model(
        "Ti/16", image_size=(32, 48), depth=2, pooling=pooling, class_token=pooling == "token"
    )
    recording = Recording(attention=[-1])
    with torch.no_grad():
        model.eval()(torch.randn(3, 3, 32, 48), recording=recording)
    shares = head_attention(recording, 1, pooling)
    assert shares.shape == (3, 2, 3)
    torch.testing.assert_close(shares.sum((1, 2)), torch.ones(3))
    with pytest.raises(KeyError):
        head_attention(recording, 0, pooling)
