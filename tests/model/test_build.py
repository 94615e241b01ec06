from collections.abc import Callable

import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.build import create_model, empty_model
from vitreous.model.config import ViTConfig


def test_a_name_with_overrides_or_a_whole_config(tiny: Callable[..., ViTConfig]) -> None:
    model = create_model("Ti/16", image_size=32, depth=1, num_classes=3)
    assert model.config.depth == 1
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    assert create_model(tiny()).config == tiny()


def test_unknown_names_and_fields() -> None:
    with pytest.raises(UserError, match="unknown model 'vgg'"):
        create_model("vgg")
    with pytest.raises(UserError, match="unknown model field 'layers'"):
        create_model("B/16", layers=2)


def test_the_seed_makes_the_model(tiny: Callable[..., ViTConfig]) -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(create_model(tiny()).state_dict())
    first, again, other = states
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["patch.weight"], other["patch.weight"])


def test_an_empty_model_has_the_parameters_of_a_full_one(tiny: Callable[..., ViTConfig]) -> None:
    def shapes(model: torch.nn.Module) -> dict[str, torch.Size]:
        return {name: tensor.shape for name, tensor in model.state_dict().items()}

    empty = empty_model(tiny(pre_logits=5))
    assert shapes(empty) == shapes(create_model(tiny(pre_logits=5)))
    assert all(tensor.is_meta for tensor in empty.state_dict().values())
    assert not any(t.is_meta for t in empty_model(tiny(), device="cpu").state_dict().values())
