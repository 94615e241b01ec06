import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import Muon

from vitreous.train.muon import BatchedMuon, _apart, orthogonal

COEFFICIENTS = (3.4445, -4.775, 2.0315)


@settings(deadline=None, max_examples=30)
@given(rows=st.integers(1, 24), columns=st.integers(1, 24), seed=st.integers(0, 99))
def test_singular_values_come_near_one_and_vectors_stay(rows, columns, seed):
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ orthogonal(matrix, COEFFICIENTS, 5) @ v.T
    large = values > 0.05 * values[0]
    assert ((inside.diag()[large] > 0.3) & (inside.diag()[large] < 1.3)).all()
    off = inside - inside.diag().diag()
    assert off.abs().max() < 1e-3


@pytest.mark.parametrize("shape", [(3, 4, 9), (2, 9, 4)])
def test_several_at_once_are_each_by_itself(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    apart = torch.stack([orthogonal(matrix, COEFFICIENTS, 5) for matrix in matrices])
    torch.testing.assert_close(orthogonal(matrices, COEFFICIENTS, 5), apart)


def test_stacked_or_not_they_move_alike(monkeypatch):
    """As on a GPU, where those of a shape go together."""

    def trained():
        torch.manual_seed(0)
        matrices = [torch.nn.Parameter(torch.randn(s)) for s in ((3, 5), (5, 3), (3, 5), (3, 5))]
        optimizer = BatchedMuon(matrices, lr=0.1, adjust_lr_fn="match_rms_adamw")
        for _ in range(3):
            for matrix in matrices:
                matrix.grad = torch.randn(matrix.shape)
            optimizer.step()
        return matrices

    apart = trained()
    monkeypatch.setattr(
        "vitreous.train.muon._of_one_shape",
        lambda matrices: [[matrices[0], matrices[2], matrices[3]], [matrices[1]]],
    )
    torch.testing.assert_close(trained(), apart)


def test_updates_of_tall_matrices_lie_in_rows():
    matrices = [torch.zeros(5, 3)] * 2
    updates = orthogonal(torch.randn(2, 5, 3), COEFFICIENTS, 5)
    apart = _apart(updates, matrices)
    assert [update.stride() for update in apart] == [matrix.stride() for matrix in matrices]
    assert torch.equal(torch.stack(apart), updates)


def test_in_bfloat16_it_is_pytorchs():
    ours = moved(lambda *a, **k: BatchedMuon(*a, dtype=torch.bfloat16, **k))[0]
    torch.testing.assert_close(ours, moved(Muon)[0], atol=2e-3, rtol=0)


def moved(optimizer_type, gradient_noise=0.0):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(12, 20))
    options = {"momentum": 0.9, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    optimizer = optimizer_type([weight], lr=0.05, **options)
    for _ in range(5):
        gradient = torch.randn(12, 20)
        weight.grad = gradient * (1 + gradient_noise * torch.randn(12, 20))
        optimizer.step()
    return weight.detach(), optimizer.state_dict()


def test_it_is_pytorchs_muon_but_for_rounding():
    (ours, state), (theirs, their_state) = moved(BatchedMuon), moved(Muon)
    start = moved(lambda weights, **_: torch.optim.SGD(weights, lr=0.0))[0]
    assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()
    assert state["param_groups"] == their_state["param_groups"]
    torch.testing.assert_close(state["state"], their_state["state"])


def test_the_last_bits_of_gradients_stay_last_bits():
    exact = moved(BatchedMuon)[0]
    assert float((moved(BatchedMuon, 1e-7)[0] - exact).abs().max()) < 1e-5


def test_without_a_gradient_nothing_moves():
    weight = torch.nn.Parameter(torch.ones(2, 3))
    BatchedMuon([weight]).step()
    assert torch.equal(weight, torch.ones(2, 3))


@pytest.mark.parametrize("shape", [(3, 7), (7, 3)])
def test_nothing_stays_nothing(shape):
    assert torch.equal(orthogonal(torch.zeros(shape), COEFFICIENTS, 5), torch.zeros(shape))
