import pytest
import torch

from vitreous.model import lean_attention as room
from vitreous.model.lean_attention import lean_attention


@pytest.fixture(params=[3, 0], ids=["kept", "computed again"], autouse=True)
def kept(request, monkeypatch):
    """Both ways to the backward pass."""
    monkeypatch.setattr(room, "_KEPT", request.param)


def explicit(qkv):
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()
    return (((q * q.shape[-1] ** -0.5) @ k.mT).softmax(-1) @ v).transpose(1, 2)


def packed(dtype, width=16):
    """Queries, keys and values as the projection gives them."""
    torch.manual_seed(0)
    return torch.randn(3, 7, 3, 4, width, dtype=dtype, requires_grad=True)


def there_and_back(attend, qkv):
    heads = attend(qkv)
    weights = torch.arange(heads.numel()).view_as(heads).cos().to(torch.bfloat16)
    (heads * weights).sum().backward()
    return heads, qkv.grad


def test_the_same_bits_as_the_explicit_softmax():
    """At this width the scale is a power of two, and wherever it is put it rounds nothing."""
    ours, theirs = (
        there_and_back(attend, packed(torch.bfloat16)) for attend in (lean_attention, explicit)
    )
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])


@pytest.mark.parametrize("width", [6, 16])
@pytest.mark.parametrize(("dtype", "apart"), [(torch.bfloat16, 0.03), (torch.float32, 2e-6)])
def test_as_near_to_the_definition_as_it_rounds(dtype, apart, width):
    ours = there_and_back(lean_attention, packed(dtype, width))
    exact = there_and_back(explicit, packed(dtype, width).detach().double().requires_grad_())
    for found, expected in zip(ours, exact, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=apart)


def test_gradients_by_differences():
    qkv = packed(torch.float64, width=2).detach()[:2, :4].requires_grad_()
    assert torch.autograd.gradcheck(lean_attention, qkv)


def test_autocast_changes_nothing_in_either_direction():
    qkv = packed(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        heads = lean_attention(qkv)
        heads.sum().backward()
    again = packed(torch.bfloat16)
    lean_attention(again).sum().backward()
    assert heads.dtype == torch.bfloat16
    assert torch.equal(qkv.grad, again.grad)


@pytest.mark.parametrize(
    ("tokens", "images"), [(5, 4), (6, 4), (7, 3), (12, 2), (24, 1), (25, 0), (10**3, 0)]
)
def test_the_weights_kept_take_no_more_than_the_projection(monkeypatch, tokens, images):
    monkeypatch.setattr(room, "_KEPT", 3)
    monkeypatch.setattr(room, "_PIECE", 5 * tokens**2)  # an image
    shapes = []

    def keep(tensor):
        shapes.append(tuple(tensor.shape))
        return tensor

    qkv = torch.randn(4, tokens, 3, 5, 2, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        lean_attention(qkv)
    assert shapes == [(3, 4, 5, tokens, 2), *images * [(5, tokens, tokens)]]


@pytest.mark.parametrize("share", [3, 0.2])
@pytest.mark.parametrize(("piece", "largest"), [(8, 8), (1, 4), (1, 3), (0, 0)])
def test_pieces_change_nothing(monkeypatch, share, piece, largest):
    """Two images, one, some heads or one; and the weights of all or of some of them kept."""
    found = [there_and_back(lean_attention, packed(torch.float32))]
    monkeypatch.setattr(room, "_PIECE", piece * 7**2)
    monkeypatch.setattr(room, "_LARGEST", largest * 7**2)
    monkeypatch.setattr(room, "_KEPT", share)
    found.append(there_and_back(lean_attention, packed(torch.float32)))
    for whole, apart in zip(*found, strict=True):
        torch.testing.assert_close(whole, apart)


@pytest.mark.parametrize(
    ("tokens", "pieces"),
    [(197, [12, 12, 6]), (577, 5 * [6]), (1025, 5 * [6]), (2305, 10 * [3]), (4097, 30 * [1])],
)
def test_as_many_images_or_heads_as_the_cache_and_the_memory_hold(tokens, pieces):
    count = [
        len(range(5)[images]) * len(range(6)[heads]) for images, heads in room._pieces(5, 6, tokens)
    ]
    assert count == pieces


def test_no_images_give_none():
    heads, gradient = there_and_back(
        lean_attention, packed(torch.float32).detach()[:0].requires_grad_()
    )
    assert heads.shape == (0, 7, 4, 16)
    assert gradient.shape == (0, 7, 3, 4, 16)
