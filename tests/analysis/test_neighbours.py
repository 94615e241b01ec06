import pytest
import torch

from vitreous.analysis.neighbours import nearest_patches, patch_similarity


@pytest.fixture
def tokens() -> torch.Tensor:
    """Two images of 1 x 3 patches."""
    return torch.tensor([[[[1.0, 0], [0, 1], [2, 2]]], [[[-1, 0], [7, 0.1], [0, 0]]]])


def test_the_nearest_first_and_never_itself(tokens: torch.Tensor) -> None:
    found = nearest_patches(tokens, 0, 0, 0, limit=2)
    assert [n[:3] for n in found] == [(1, 0, 1), (0, 0, 2)]
    assert found[1].similarity == pytest.approx(0.5**0.5, abs=1e-6)
    assert len(nearest_patches(tokens, 0, 0, 0, limit=99)) == 5


def test_similarity_to_every_patch(tokens: torch.Tensor) -> None:
    similarity = patch_similarity(tokens, 0, 0, 1)
    expected = torch.tensor([[[0, 1, 0.5**0.5]], [[0, 0.1 / 49.01**0.5, 0]]])
    torch.testing.assert_close(similarity, expected, atol=1e-6, rtol=0)
