import json
from dataclasses import asdict

import pytest

from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.config import ViTConfig
from vitreous.model.kind import KINDS, config_from_dict


@pytest.mark.parametrize("kind", KINDS)
def test_a_config_of_any_kind_comes_back_from_json(kind: str) -> None:
    config = KINDS[kind](image_size=(32, 64), num_classes=7)
    assert config_from_dict(json.loads(json.dumps(asdict(config)))) == config


def test_what_was_written_before_there_were_kinds_is_a_vit() -> None:
    values = asdict(ViTConfig(depth=3))
    del values["kind"]
    assert config_from_dict(values) == ViTConfig(depth=3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "mixer"}, "model.kind is 'mixer': known are vit, bit"),
        ({"kind": "bit", "patch": 16}, "unknown model field 'patch': known are .*width_factor"),
        ({"units": [1]}, "unknown model field 'units'"),
    ],
)
def test_unknown_kinds_and_fields(values: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        config_from_dict(values)


def test_a_new_head_has_one_layer() -> None:
    config = ViTConfig(pre_logits=9).with_classes(4)
    assert (config.pre_logits, config.num_classes) == (None, 4)
    assert BiTConfig().with_classes(4).num_classes == 4
