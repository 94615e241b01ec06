import pytest

from vitreous.cli.config_options import _descriptions
from vitreous.errors import UserError
from vitreous.train.overrides import field_types, override


def test_every_kind_of_field_is_read(make_config):
    config = override(
        make_config(),
        {
            "model.image_size": "16x8",
            "model.qkv_bias": "false",
            "model.pooling": "mean",
            "optimizer.betas": "0.8,0.95",
            "optimizer.learning_rate": "3e-4",
            "batch_size": "1e2",
            "micro_batch": "none",
            "device": "cpu",
        },
    )
    assert config.model.image_size == config.preprocessing.size == (16, 8)
    assert config.model.qkv_bias is False
    assert config.model.pooling == "mean"
    assert config.optimizer.betas == (0.8, 0.95)
    assert config.optimizer.learning_rate == 3e-4
    assert config.batch_size == 100
    assert config.micro_batch is None
    assert config.device == "cpu"


def test_one_side_makes_a_square(make_config):
    assert override(make_config(), {"model.image_size": "16"}).model.image_size == (16, 16)


def test_a_typed_length_replaces_the_other(make_config):
    config = override(make_config(steps=5), {"epochs": "2"})
    assert (config.epochs, config.steps) == (2.0, None)
    config = override(make_config(steps=None, epochs=3.0), {"steps": "7"})
    assert (config.epochs, config.steps) == (None, 7)


def test_head_width_follows_width_and_heads(make_config):
    assert override(make_config(), {"model.width": "32"}).model.head_dim == 16


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("optimiser.learning_rate", "1", r"optimizer\.learning_rate"),
        ("epoch", "1", "--epochs"),
        ("batch_size", "many", "whole number"),
        ("batch_size", "1.5", "whole number"),
        ("optimizer.learning_rate", "fast", "a number"),
        ("model.qkv_bias", "maybe", "true or false"),
        ("model.pooling", "max", "token or mean"),
        ("model.patch", "3", "no multiple"),
        ("model.width", "30", "no multiple"),
        ("batch_size", "inf", "whole number"),
    ],
)
def test_what_cannot_be_read_names_the_field_and_the_fix(make_config, name, text, words):
    with pytest.raises(UserError, match=words):
        override(
            make_config(), {name: text, "model.heads": "4"} if "width" in name else {name: text}
        )


def test_every_field_is_described_where_it_is_declared():
    described = dict(_descriptions())
    for name in field_types():
        assert len(described[name]) > 5, name
