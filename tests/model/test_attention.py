from collections.abc import Callable

import pytest
import torch

from vitreous.model.attention import Attention
from vitreous.model.config import ViTConfig


@pytest.fixture(params=[{}, {"head_width": 5}, {"qkv_bias": False}, {"heads": 1}])
def attention(request: pytest.FixtureRequest, tiny: Callable[..., ViTConfig]) -> Attention:
    torch.manual_seed(0)
    module = Attention(tiny(**request.param)).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 9, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_it_is_the_papers_sum_head_by_head(attention: Attention, x: torch.Tensor) -> None:
    """Equations 5 to 8, written out."""
    k, d = attention.heads, attention.head_width
    packed = x @ attention.qkv.weight.T
    if attention.qkv.bias is not None:
        packed = packed + attention.qkv.bias
    heads = []
    for head in range(k):
        q, key, v = (
            packed[..., (part * k + head) * d : (part * k + head + 1) * d] for part in range(3)
        )
        scores = torch.einsum("bid,bjd->bij", q, key) / d**0.5
        heads.append(torch.einsum("bij,bjd->bid", torch.softmax(scores, -1), v))
    expected = torch.cat(heads, -1) @ attention.projection.weight.T + attention.projection.bias
    torch.testing.assert_close(attention(x), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("read", [None, 1, 4])
def test_fused_and_explicit_agree(attention: Attention, x: torch.Tensor, read: int | None) -> None:
    explicit = attention(x, read)
    with torch.no_grad():
        torch.testing.assert_close(attention(x, read), explicit, atol=1e-12, rtol=0)
    for wanted in ("attention", "keys"):
        recorded, inside = attention.forward_recorded(x, frozenset({wanted}))
        assert list(inside) == [wanted]
        torch.testing.assert_close(recorded[:, :read], explicit, atol=1e-12, rtol=0)


def test_explicit_where_it_is_faster(
    attention: Attention, x: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bfloat16 on the CPU, in training and without matrix units; answers differ by rounding."""
    matrix_units = True
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: matrix_units)
    exact = attention(x).detach()
    attention, x = attention.float(), x.float()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        fused = attention(x).double()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the fused kernel ran")

    monkeypatch.setattr("torch.nn.functional.scaled_dot_product_attention", refuse)
    with torch.autocast("cpu", torch.bfloat16):
        explicit = attention(x).detach().double()
        with torch.no_grad(), pytest.raises(AssertionError, match="fused"):
            attention(x)
        matrix_units = False
        with torch.no_grad():
            assert torch.equal(attention(x).double(), explicit)
    with pytest.raises(AssertionError, match="fused"):
        attention(x)
    scale = float(exact.abs().max())
    assert float((explicit - exact).abs().max()) < 0.03 * scale
    assert float((fused - exact).abs().max()) < 0.03 * scale


def test_only_what_is_read_is_made(attention: Attention, x: torch.Tensor) -> None:
    torch.testing.assert_close(attention(x, 3), attention(x)[:, :3], atol=1e-12, rtol=0)


def test_who_hooks_the_packed_layer_sees_it_called(attention: Attention, x: torch.Tensor) -> None:
    expected = attention(x, 2)
    seen = []
    hook = attention.qkv.register_forward_hook(lambda layer, given, made: seen.append(made.shape))
    torch.testing.assert_close(attention(x, 2), expected)
    assert seen == [(*x.shape[:2], 3 * attention.inner)]
    hook.remove()
    attention(x, 2)
    assert len(seen) == 1


def test_dropout_falls_on_the_weights_in_training_only(
    tiny: Callable[..., ViTConfig], x: torch.Tensor
) -> None:
    module = Attention(tiny(attention_dropout=0.5)).double()
    module.reset_parameters()
    assert not torch.equal(module(x), module(x))
    with torch.no_grad():
        assert not torch.equal(module(x), module(x))
        module.eval()
        assert torch.equal(module(x), module(x))


def test_each_kernel_starts_within_its_own_xavier_bound(tiny: Callable[..., ViTConfig]) -> None:
    """Queries, keys and values are kernels of D -> k*d, not one of D -> 3*k*d."""
    module = Attention(tiny(width=96, heads=2, head_width=16))
    module.reset_parameters()
    bound = (6 / (96 + 32)) ** 0.5
    for kernel in (*module.qkv.weight.split(32), module.projection.weight):
        assert 0.97 * bound < kernel.abs().max() <= bound
    assert not module.qkv.bias.any()
    assert not module.projection.bias.any()


def test_dropout_falls_on_the_weights_in_bfloat16_too(tiny) -> None:
    module = Attention(tiny(attention_dropout=0.5))
    x = torch.randn(2, 5, 24)
    with torch.autocast("cpu", torch.bfloat16):
        first, second = module(x), module(x)
        module.eval()
        alike = torch.equal(module(x), module(x))
    assert not torch.equal(first, second)
    assert alike


@pytest.mark.parametrize("grad", [False, True])
def test_recorded_in_bfloat16_no_weights_are_kept_unasked(tiny, grad, monkeypatch) -> None:
    monkeypatch.setattr("vitreous.model.lean_attention._KEPT", 0)
    module = Attention(tiny())
    x = torch.randn(2, 5, 24)
    shapes = set()

    def keep(tensor):
        shapes.add(tuple(tensor.shape))
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16), hooks:
        recorded, inside = module.forward_recorded(x, frozenset({"keys"}))
        assert torch.equal(recorded, module(x))
    assert inside["keys"].shape == (2, 3, 5, 8)
    assert not any(shape[-2:] == (5, 5) for shape in shapes)
