from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, replace
from typing import Any

import pytest

from vitreous.errors import UserError
from vitreous.model.config import ViTConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(field, 0) for field in ("patch", "channels", "width", "depth", "mlp_width", "heads")],
        ("depth", "12"),
        ("width", 96.5),
        ("mlp_width", -1),
        ("head_width", 0),
        ("pre_logits", 0),
        ("num_classes", -1),
        ("num_classes", 2.5),
        ("norm_eps", 0.0),
        ("dropout", 1.0),
        ("attention_dropout", -0.1),
        ("stochastic_depth", float("nan")),
        ("pooling", "max"),
        ("activation", "swish"),
        ("resample", "nearest"),
        ("image_size", (24,)),
        ("image_size", (24, 40, 3)),
        ("image_size", (24.0, 40)),
    ],
)
def test_a_refusal_names_the_field(
    tiny: Callable[..., ViTConfig], field: str, value: object
) -> None:
    with pytest.raises(UserError, match=f"^model.{field} is "):
        tiny(**{field: value})


def test_a_choice_lists_its_options(tiny: Callable[..., ViTConfig]) -> None:
    with pytest.raises(UserError, match="choose gelu or gelu_tanh or quick_gelu or relu or swiglu"):
        tiny(activation="swish")


def test_heads_that_do_not_divide_the_width_need_a_head_width(
    tiny: Callable[..., ViTConfig],
) -> None:
    with pytest.raises(UserError, match="model.width 24 is no multiple of model.heads 5"):
        tiny(heads=5)
    assert tiny(heads=5, head_width=4).head_dim == 4
    assert tiny().head_dim == 8


def test_token_pooling_needs_a_token(tiny: Callable[..., ViTConfig]) -> None:
    with pytest.raises(UserError, match="model.pooling 'token' needs model.class_token"):
        tiny(class_token=False)
    assert tiny(class_token=False, pooling="mean").prefix == 0
    assert tiny(pooling="mean").prefix == 1


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((24, 43), "image width 43 is no multiple of the patch side 8: 40 or 48 would work"),
        ((7, 40), "image height 7 is no multiple of the patch side 8: 8 would work"),
        ((250, 250), "image height 250 is no multiple of the patch side 8: 248 or 256 would work"),
    ],
)
def test_an_image_size_that_patches_do_not_fill(
    tiny: Callable[..., ViTConfig], size: tuple[int, int], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        tiny(image_size=size)
    with pytest.raises(UserError, match=words):
        tiny().grid_of(size)


def test_one_number_is_a_square(tiny: Callable[..., ViTConfig]) -> None:
    assert tiny(image_size=32).image_size == (32, 32)
    assert tiny().grid == (3, 5)


def test_channels_are_checked(tiny: Callable[..., ViTConfig]) -> None:
    tiny().check_channels(3)
    with pytest.raises(UserError, match="images have 1 channels, the model takes 3"):
        tiny().check_channels(1)


@pytest.mark.parametrize(
    "fields", [{}, {"head_width": 5}, {"pre_logits": 9}, {"class_token": False, "pooling": "mean"}]
)
def test_a_config_comes_back_from_its_dict(
    tiny: Callable[..., ViTConfig], fields: dict[str, Any]
) -> None:
    config = tiny(**fields)
    written = asdict(config)
    written["image_size"] = list(written["image_size"])  # as JSON has it
    assert ViTConfig.from_dict(written) == config


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="unknown model field 'layers': known are .*depth"):
        ViTConfig.from_dict({"layers": 3})


def test_a_config_cannot_be_changed(tiny: Callable[..., ViTConfig]) -> None:
    with pytest.raises(FrozenInstanceError):
        tiny().depth = 4  # type: ignore[misc]


def test_heads_follow_a_change_of_width(tiny: Callable[..., ViTConfig]) -> None:
    assert replace(tiny(width=16, heads=2), width=32).head_dim == 16
    assert replace(tiny(width=16, heads=2, head_width=8), heads=4).head_dim == 4
    assert replace(tiny(width=16, heads=2, head_width=5), width=32).head_dim == 5
