import pytest
import torch

from vitreous.analysis.tokens import artifact_tokens, effective_rank, patch_tokens, token_norms
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer


def test_rank_of_known_matrices() -> None:
    one_line = torch.outer(torch.arange(1.0, 7), torch.tensor([1.0, -2, 0, 3]))
    all_alike = torch.eye(6, 4)
    two = torch.zeros(6, 4)
    two[0, 0] = two[3, 2] = 5
    none = torch.zeros(6, 4)
    ranks = effective_rank(torch.stack([one_line, all_alike, two, none]))
    torch.testing.assert_close(ranks, torch.tensor([1.0, 4, 2, 0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(effective_rank(one_line.T[None]), torch.ones(1), atol=1e-5, rtol=0)


def test_rank_by_the_definition() -> None:
    x = torch.randn(3, 20, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shares = torch.linalg.svdvals(x)
    shares = shares / shares.sum(1, keepdim=True)
    expected = (-(shares * shares.log()).sum(1)).exp().float()
    torch.testing.assert_close(effective_rank(x), expected, atol=1e-6, rtol=1e-6)


def test_long_tokens_are_artifacts() -> None:
    tokens = torch.ones(2, 9, 4)
    tokens[1, 3] = 20
    norms = token_norms(tokens)
    assert norms[0, 0] == 2
    assert artifact_tokens(norms).nonzero().tolist() == [[1, 3]]
    assert not artifact_tokens(norms, factor=30).any()


def test_every_model(model: VisionTransformer, pictures: torch.Tensor) -> None:
    recording = Recording(tokens=[1])
    with torch.no_grad():
        model(pictures, recording=recording)
    tokens = patch_tokens(recording, 1)
    h, w = model.config.grid
    assert tokens.shape == (2, h * w, 24)
    assert token_norms(tokens).shape == artifact_tokens(token_norms(tokens)).shape == (2, h * w)
    ranks = effective_rank(tokens)
    assert ((ranks > 1) & (ranks <= h * w)).all()
    with pytest.raises(KeyError):
        patch_tokens(recording, 0)
