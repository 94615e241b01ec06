import pytest
import torch

from vitreous.model.lean_attention import lean_attention


def explicit(q, k, v):
    return ((q * q.shape[-1] ** -0.5) @ k.mT).softmax(-1) @ v


def packed(dtype, rows=None):
    """Queries, keys and values as strided as attention cuts them; fewer queries where asked."""
    torch.manual_seed(0)
    qkv = torch.randn(2, 7, 3, 4, 8, dtype=dtype, requires_grad=True)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()
    return qkv, q[:, :, :rows], k, v


@pytest.mark.parametrize("rows", [None, 1])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_same_bits_as_the_explicit_softmax(dtype, rows):
    found = []
    for attend in (lean_attention, explicit):
        qkv, q, k, v = packed(dtype, rows)
        heads = attend(q, k, v)
        (heads * torch.arange(heads.numel(), dtype=dtype).view_as(heads).cos()).sum().backward()
        found.append((heads, qkv.grad))
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)


def test_gradients_by_differences():
    _, q, k, v = packed(torch.float64, 3)
    inputs = [x.detach().requires_grad_() for x in (q, k, v)]
    assert torch.autograd.gradcheck(lean_attention, inputs)


def test_autocast_changes_nothing_in_either_direction():
    qkv, q, k, v = packed(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        heads = lean_attention(q, k, v)
        heads.sum().backward()
    again, q, k, v = packed(torch.bfloat16)
    lean_attention(q, k, v).sum().backward()
    assert heads.dtype == torch.bfloat16
    assert torch.equal(qkv.grad, again.grad)


def test_no_weights_are_kept():
    _, q, k, v = packed(torch.float32)
    shapes = set()

    def keep(tensor):
        shapes.add(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        lean_attention(q, k, v)
    assert shapes == {(2, 4, 7, 8)}


def test_pieces_change_nothing(monkeypatch):
    found = []
    for piece in (10**6, 1):
        monkeypatch.setattr("vitreous.model.lean_attention._PIECE", piece)
        qkv, q, k, v = packed(torch.float32)
        heads = lean_attention(q, k, v)
        heads.square().sum().backward()
        found.append((heads, qkv.grad))
    for whole, apart in zip(*found, strict=True):
        torch.testing.assert_close(whole, apart)
