import torch

from vitreous.model.config import ViTConfig
from vitreous.model.pool import (
    AttentionPool,
    ClassTokenPool,
    DistilledPool,
    MeanPool,
    TokenAndMeanPool,
)

X = torch.arange(24.0).reshape(2, 4, 3)


def test_the_class_token_is_the_first() -> None:
    assert torch.equal(ClassTokenPool()(X), X[:, 0])
    assert ClassTokenPool.read == 1


def test_the_mean_leaves_the_class_token_out() -> None:
    assert MeanPool(1)(X).tolist() == [[6, 7, 8], [18, 19, 20]]
    assert MeanPool(0)(X).tolist() == [[4.5, 5.5, 6.5], [16.5, 17.5, 18.5]]
    assert MeanPool.read is None


def test_two_tokens_side_by_side() -> None:
    assert torch.equal(DistilledPool()(X), torch.cat([X[:, 0], X[:, 1]], 1))
    assert DistilledPool.read == 2


def test_the_class_token_and_the_mean_side_by_side() -> None:
    pooled = TokenAndMeanPool(2)(X)
    assert torch.equal(pooled, torch.cat([X[:, 0], X[:, 2:].mean(1)], 1))


def test_a_probe_attends_to_the_patches_alone() -> None:
    config = ViTConfig(
        width=8, heads=2, mlp_width=12, depth=1, patch=4, image_size=8, registers=1, pooling="map"
    )
    pool = AttentionPool(config)
    for parameter in pool.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    x = torch.randn(3, 6, 8)
    moved = x.clone()
    moved[:, :2] += 9  # class token and register
    assert torch.equal(pool(x), pool(moved))
    order = torch.tensor([0, 1, 5, 3, 2, 4])
    torch.testing.assert_close(pool(x), pool(x[:, order]))
    one = pool.attention
    q, k, v = (
        torch.nn.functional.linear(s, w, b)
        for s, w, b in zip(
            (pool.probe.expand(3, 1, 8), x[:, 2:], x[:, 2:]),
            one.qkv.weight.chunk(3),
            one.qkv.bias.chunk(3),
            strict=True,
        )
    )
    out = torch.cat(
        [
            (qh @ kh.mT / 2).softmax(-1) @ vh
            for qh, kh, vh in zip(q.chunk(2, -1), k.chunk(2, -1), v.chunk(2, -1), strict=True)
        ],
        -1,
    )
    y = one.projection(out)
    torch.testing.assert_close(pool(x), (y + pool.mlp(pool.norm(y)))[:, 0])
