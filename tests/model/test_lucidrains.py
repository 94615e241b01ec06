import pytest
import torch

import vitreous
from vitreous.errors import UserError
from vitreous.model.config import ViTConfig

WORDS = {"image_size": 16, "patch_size": 4, "num_classes": 3, "dim": 16, "depth": 1, "heads": 2}
WORDS |= {"mlp_dim": 24, "dim_head": 10}


def config_of(**words: object) -> ViTConfig:
    return vitreous.from_lucidrains(**(WORDS | words)).config


def test_every_word_has_its_field() -> None:
    config = config_of(channels=1, dropout=0.1, emb_dropout=0.2, image_size=(16, 8))
    assert (config.image_size, config.patch, config.channels) == ((16, 8), 4, 1)
    assert (config.width, config.depth, config.heads, config.head_dim) == (16, 1, 2, 10)
    assert (config.mlp_width, config.num_classes, config.activation) == (24, 3, "gelu")
    assert (config.dropout, config.attention_dropout, config.embedding_dropout) == (0.1, 0.1, 0.2)
    assert (config.norm_eps, config.qkv_bias, config.patch_norms) == (1e-5, False, True)


@pytest.mark.parametrize(
    ("release", "pooling", "final_norm", "patch_norms"),
    [
        ("0.20.0", "mean_all", "pooled", False),
        ("1.2", "mean_all", "pooled", True),
        ("1.6.5", "mean_all", "tokens", True),
        ("1.16.0", "mean", "tokens", True),
        ("1.26", "mean", "tokens", True),
    ],
)
def test_the_mean_is_that_of_the_release(
    release: str, pooling: str, final_norm: str, patch_norms: bool
) -> None:
    config = config_of(pool="mean", release=release)
    assert (config.pooling, config.final_norm) == (pooling, final_norm)
    assert config.class_token == (pooling == "mean_all")
    assert config.patch_norms == patch_norms


def test_one_head_as_wide_as_the_model_has_no_projection() -> None:
    assert not config_of(heads=1, dim_head=16).output_projection
    assert config_of(heads=1, dim_head=8).output_projection


def test_the_embedding_has_a_dropout_of_its_own() -> None:
    model = vitreous.from_lucidrains(**(WORDS | {"emb_dropout": 0.25}))
    assert model.dropout.p == 0.25
    assert model.encoder.blocks[0].dropout.p == 0.0
    paper = vitreous.create_model(ViTConfig(dropout=0.1, image_size=16, depth=1, num_classes=2))
    assert paper.dropout.p == 0.1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"mlp_dims": 3}, "unknown word 'mlp_dims': did you mean mlp_dim?"),
        ({"embed_dropout": 0.1}, "did you mean emb_dropout?"),
        ({"pool": "max"}, "choose cls or mean"),
        ({"release": "0.2"}, "from 0.7 on"),
        ({"patch_size": 5}, "no multiple of the patch side 5"),
    ],
)
def test_words_that_cannot_be(words: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        config_of(**words)


def test_a_model_of_words_learns() -> None:
    model = vitreous.from_lucidrains(**(WORDS | {"pool": "mean", "release": "1.6"}))
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    assert model.head.weight.grad is not None
