import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import Muon

from vitreous.train.muon import Float32Muon, orthogonal

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
    (ours, state), (theirs, their_state) = moved(Float32Muon), moved(Muon)
    start = moved(lambda weights, **_: torch.optim.SGD(weights, lr=0.0))[0]
    assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()
    assert state["param_groups"] == their_state["param_groups"]
    torch.testing.assert_close(state["state"], their_state["state"])


def test_the_last_bits_of_gradients_stay_last_bits():
    exact = moved(Float32Muon)[0]
    assert float((moved(Float32Muon, 1e-7)[0] - exact).abs().max()) < 1e-5


def test_without_a_gradient_nothing_moves():
    weight = torch.nn.Parameter(torch.ones(2, 3))
    Float32Muon([weight]).step()
    assert torch.equal(weight, torch.ones(2, 3))


@pytest.mark.parametrize("shape", [(3, 7), (7, 3)])
def test_nothing_stays_nothing(shape):
    assert torch.equal(orthogonal(torch.zeros(shape), COEFFICIENTS, 5), torch.zeros(shape))
