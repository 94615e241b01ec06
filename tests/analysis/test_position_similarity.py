import torch

from vitreous.analysis.position_similarity import added_positions, position_similarity
from vitreous.model.vit import VisionTransformer

EXACT = {"atol": 1e-6, "rtol": 0}


def test_angles_known_by_heart() -> None:
    positions = torch.tensor([[[1.0, 0], [0, 5], [-2, 0]], [[1, 1], [0, 0], [3, 0]]])
    similarity = position_similarity(positions)
    half = 0.5**0.5
    expected = torch.tensor([[1.0, 0, -1], [half, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(similarity[0, 0], expected, **EXACT)
    assert not similarity[1, 1].any()


def test_every_model(model: VisionTransformer) -> None:
    positions = added_positions(model)
    table = model.position.table.detach()
    torch.testing.assert_close(positions.flatten(0, 1), table[model.config.prefix_rows :])
    similarity = position_similarity(positions)
    assert similarity.shape == model.config.grid * 2
    own = torch.stack([similarity[r, c, r, c] for r in range(3) for c in range(3)])
    torch.testing.assert_close(own, torch.ones(9, dtype=torch.float64), **EXACT)
    torch.testing.assert_close(similarity, similarity.permute(2, 3, 0, 1))


def test_another_grid(model: VisionTransformer) -> None:
    assert added_positions(model, (4, 2)).shape == (4, 2, model.config.width)
