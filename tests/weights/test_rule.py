from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitreous.errors import UserError
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import (
    HWIO_KERNEL,
    TRANSPOSE,
    Rule,
    each_layer,
    heads_into,
    heads_out_of,
    laid_out,
    leading,
    to_ours,
    to_theirs,
)

sides = st.integers(1, 5)


@given(sides, sides, sides)
def test_operations_are_invertible(a: int, b: int, c: int) -> None:
    cases = [
        (TRANSPOSE, (a, b), (b, a)),
        (HWIO_KERNEL, (a, a, b, c), (c, b, a, a)),
        (leading(2), (1, 1, a), (a,)),
        (heads_out_of(b), (a, b, c), (b * c, a)),
        (heads_out_of(b), (b, c), (b * c,)),
        (heads_into(b), (b, c, a), (a, b * c)),
    ]
    for operation, theirs, ours in cases:
        x = torch.randn(theirs)
        y = operation.ours(x)
        assert tuple(y.shape) == ours
        assert torch.equal(operation.theirs(y), x)


def test_heads_keep_their_order() -> None:
    kernel = torch.arange(24.0).view(2, 3, 4)  # (D, k, d)
    ours = heads_out_of(3).ours(kernel)
    assert torch.equal(ours[1 * 4 + 2], kernel[:, 1, 2])
    back = kernel.permute(1, 2, 0)  # (k, d, D)
    assert torch.equal(heads_into(3).ours(back)[:, 1 * 4 + 2], back[1, 2])


def test_several_parts_need_not_be_equal() -> None:
    whole = torch.arange(12.0).view(6, 2)
    rule = Rule(("q", "kv"), "x", shares=(1, 2))
    parts = dict(to_theirs([rule], {"x": whole}))
    assert {name: len(part) for name, part in parts.items()} == {"q": 2, "kv": 4}
    shapes = {name: tuple(part.shape) for name, part in parts.items()}
    checkpoint = Checkpoint(Path("x"), shapes, parts.__getitem__)
    assert torch.equal(to_ours([rule], checkpoint, {"x": whole})["x"], whole)


def test_a_place_for_what_a_model_lacks_is_written_as_zeros_and_need_not_be_read() -> None:
    rules = [Rule("a", "x"), Rule("mask", None, empty_shape=(1, 2))]
    written = dict(to_theirs(rules, {"x": torch.ones(2)}))
    assert written["mask"].tolist() == [[0, 0]]
    checkpoint = Checkpoint(Path("x"), {"a": (2,)}, {"a": torch.ones(2)}.__getitem__)
    assert set(to_ours(rules, checkpoint, {"x": torch.ones(2)})) == {"x"}


RULES = list(
    each_layer(
        [
            Rule("in/kernel", "in.weight", TRANSPOSE),
            Rule(("q_{layer}", "k_{layer}", "v_{layer}"), "blocks.{layer}.qkv"),
            Rule("nothing", None, empty_shape=(0, 2)),
        ],
        depth=2,
    )
)


def checkpoint(**tensors: torch.Tensor) -> Checkpoint:
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return Checkpoint(Path("file"), shapes, tensors.__getitem__)


def foreign() -> dict[str, torch.Tensor]:
    names = [f"{part}_{layer}" for layer in range(2) for part in "qkv"]
    tensors = {name: torch.full((2, 3), float(i)) for i, name in enumerate(names)}
    return tensors | {"in/kernel": torch.randn(4, 3), "nothing": torch.empty(0, 2)}


EXPECTED = {
    "in.weight": torch.empty(3, 4),
    "blocks.0.qkv": torch.empty(6, 3),
    "blocks.1.qkv": torch.empty(6, 3),
}


def test_one_table_reads_both_ways() -> None:
    tensors = foreign()
    ours = to_ours(RULES, checkpoint(**tensors), EXPECTED)
    assert ours["blocks.1.qkv"][:, 0].tolist() == [3, 3, 4, 4, 5, 5]
    again = dict(to_theirs(RULES, ours))
    assert set(again) == set(tensors)
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())


def test_leftovers_on_either_side_are_listed() -> None:
    tensors = foreign()
    with pytest.raises(UserError, match=r"no place for: 2 tensors \(left, over\)"):
        to_ours(RULES, checkpoint(**tensors, left=torch.ones(1), over=torch.ones(1)), EXPECTED)
    tensors.pop("k_1")
    with pytest.raises(UserError, match=r"lacks 1 tensor \(k_1\)"):
        to_ours(RULES, checkpoint(**tensors), EXPECTED)
    with pytest.raises(UserError, match=r"lacks 1 tensor \(more\)"):
        to_ours(RULES, checkpoint(**foreign()), EXPECTED | {"more": torch.empty(1)})
    ours = to_ours(RULES, checkpoint(**foreign()), EXPECTED)
    with pytest.raises(UserError, match=r"no place for 1 tensor \(more\)"):
        dict(to_theirs(RULES, ours | {"more": torch.ones(1)}))


@pytest.mark.parametrize("shape", [(3, 4), (4,), (4, 3, 1), (4, 2)])
def test_a_tensor_of_another_shape_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"in/kernel .* does not fit in\.weight \(3, 4\)"):
        to_ours(RULES, checkpoint(**foreign() | {"in/kernel": torch.ones(shape)}), EXPECTED)


def test_parts_of_unequal_length_do_not_fit() -> None:
    odd = {"q_0": torch.ones(1, 3), "k_0": torch.ones(3, 3)}
    with pytest.raises(UserError, match="q_0 .* does not fit"):
        to_ours(RULES, checkpoint(**foreign() | odd), EXPECTED)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (33, 70), (128, 40), (0, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_transposed_matrix_is_laid_out_in_its_own_memory(
    shape: tuple[int, int], dtype: torch.dtype
) -> None:
    x = torch.arange(shape[0] * shape[1]).reshape(shape).to(dtype)
    for matrix in (x.mT, x, x[:, ::2].mT, x.flatten()):
        out = laid_out(matrix)
        assert torch.equal(out, matrix)
        assert out.is_contiguous()
        assert out.numel() == 0 or out.data_ptr() != matrix.data_ptr()
