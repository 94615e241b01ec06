"""The kinds of model, by the tag that a config's JSON carries."""

from typing import Any

from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.resnet_config import ResNetConfig

KINDS: dict[str, type[ModelConfig]] = {
    "vit": ViTConfig,
    "bit": BiTConfig,
    "resnet": ResNetConfig,
}


def config_type(values: dict[str, Any]) -> type[ModelConfig]:
    """The type of config that `dataclasses.asdict` wrote; without a tag, a ViT's.

    Raises:
        UserError: An unknown kind.
        TypeError: Not a dict at all.
    """
    if not isinstance(values, dict):
        raise TypeError(f"a config is a table of fields, not {values!r}")
    kind = values.get("kind", "vit")
    if kind not in KINDS:
        raise UserError(f"model.kind is {kind!r}: known are {', '.join(KINDS)}")
    return KINDS[kind]


def config_from_dict(values: dict[str, Any]) -> ModelConfig:
    """Read back what `dataclasses.asdict` wrote of any kind of model.

    Raises:
        UserError: An unknown kind or field, or values that contradict one another.
    """
    return config_type(values).from_dict(values)
