import torch

from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.head import DistilledHead

SMALL = {"image_size": 8, "patch": 4, "width": 16, "depth": 1, "mlp_width": 24, "heads": 2}


def test_two_heads_are_averaged() -> None:
    head = DistilledHead(3, 2, bias=True)
    x = torch.randn(4, 6)
    expected = (head.token(x[:, :3]) + head.distillation(x[:, 3:])) / 2
    assert torch.equal(head(x), expected)


def test_heads_start_at_zero() -> None:
    model = create_model(ViTConfig(pooling="distilled", registers=1, num_classes=3, **SMALL))
    assert not any(parameter.any() for parameter in model.head.parameters())
    model = create_model(ViTConfig(head_bias=False, num_classes=3, **SMALL))
    assert list(model.head.state_dict()) == ["weight"]


def test_a_new_head_takes_the_place_of_two() -> None:
    old = ViTConfig(pooling="distilled", registers=1, num_classes=3, head_bias=True, **SMALL)
    new = old.with_classes(7)
    assert (new.pooling, new.registers, new.num_classes) == ("token", 1, 7)
    pair = ViTConfig(pooling="token_mean", head_bias=False, **SMALL).with_classes(2)
    assert (pair.pooling, pair.pooled_width, pair.head_bias) == ("token_mean", 32, True)
