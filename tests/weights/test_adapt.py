from collections.abc import Callable

import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.resample import resample_table
from vitreous.model.vit import VisionTransformer
from vitreous.weights.adapt import adapt
from vitreous.weights.passport import passport_of

Trained = Callable[..., VisionTransformer]


def test_a_new_head_starts_at_zero_and_the_body_stays(trained: Trained) -> None:
    model = trained()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    adapted = adapt(model, num_classes=4, class_names=("a", "b", "c", "d"))
    images = torch.randn(2, 3, 16, 24)
    assert not adapted(images).any()
    assert torch.equal(adapted.embed(images), model.embed(images))
    assert passport_of(adapted).class_names == ("a", "b", "c", "d")
    assert passport_of(adapted).architecture == adapted.config
    assert passport_of(adapted).metrics == {}
    assert passport_of(adapted).canary == ()
    assert model.config.num_classes == 3
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_as_many_classes_still_make_a_new_head(trained: Trained) -> None:
    adapted = adapt(trained(), num_classes=3)
    assert not adapted.head.weight.any()
    assert passport_of(adapted).class_names == ("0", "1", "2")


def test_the_tanh_layer_goes_with_the_head(trained: Trained) -> None:
    adapted = adapt(trained(pre_logits=5), num_classes=2)
    assert adapted.config.pre_logits is None
    assert adapted.head.weight.shape == (2, 12)
    assert len(adapted.pre_logits) == 0
    assert adapt(trained(pre_logits=5), image_size=24).head.weight.shape == (3, 5)


def test_no_head_at_all(trained: Trained) -> None:
    features = adapt(trained(), num_classes=0)
    assert features(torch.randn(2, 3, 16, 24)).shape == (2, 12)
    assert passport_of(features).class_names == ()


@pytest.mark.parametrize("size", [32, (24, 16), (8, 8)])
def test_another_size_resamples_the_positions(
    trained: Trained, size: int | tuple[int, int]
) -> None:
    model = trained()
    adapted = adapt(model, image_size=size)
    side = (size, size) if isinstance(size, int) else size
    assert adapted.config.image_size == passport_of(adapted).preprocessing.size == side
    assert torch.equal(
        adapted.position.table,
        resample_table(model.position.table, (2, 3), adapted.config.grid, 1, "google"),
    )
    images = torch.randn(2, 3, *side)
    torch.testing.assert_close(adapted(images), model(images))
    assert passport_of(adapted).class_names == ("daisy", "rose", "tulip")


def test_nothing_asked_is_the_same_model(trained: Trained) -> None:
    model = trained()
    images = torch.randn(2, 3, 16, 24)
    assert torch.equal(adapt(model)(images), model(images))
    assert adapt(model).config == model.config


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_stays(trained: Trained, training: bool) -> None:
    assert adapt(trained().train(training), num_classes=2).training == training


def test_it_can_be_trained(trained: Trained) -> None:
    adapted = adapt(trained(), num_classes=2, image_size=24)
    adapted(torch.randn(2, 3, 24, 24)).sum().backward()
    assert all(parameter.grad is not None for parameter in adapted.parameters())


def test_the_head_takes_the_dtype_of_the_body(trained: Trained) -> None:
    adapted = adapt(trained().double(), num_classes=2)
    assert adapted(torch.randn(1, 3, 16, 24).double()).dtype == torch.float64


def test_sizes_and_names_that_do_not_fit(trained: Trained) -> None:
    with pytest.raises(UserError, match="image height 30 .* 24 or 32 would work"):
        adapt(trained(), image_size=30)
    with pytest.raises(UserError, match="2 class names for a head of 3 classes"):
        adapt(trained(), num_classes=3, class_names=("a", "b"))
    with pytest.raises(UserError, match="names 2 classes and the head has 3"):
        adapt(trained(), class_names=("a", "b"))
