from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from vitreous.errors import UserError
from vitreous.model.config import Dialect
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


def test_rows_of_known_names_are_kept(trained: Trained) -> None:
    model = trained(pre_logits=5)
    adapted = adapt(model, class_names=("tulip", "iris", "daisy", "oak"), keep_head=True)
    images = torch.randn(2, 3, 16, 24)
    before, after = model(images), adapted(images)
    torch.testing.assert_close(after[:, [0, 2]], before[:, [2, 0]])
    assert not after[:, [1, 3]].any()
    assert adapted.config.num_classes == 4
    assert passport_of(adapted).class_names == ("tulip", "iris", "daisy", "oak")


@pytest.mark.parametrize("resample", ["google", "timm", "torchvision", "huggingface", "dinov2"])
@pytest.mark.parametrize("size", [(24, 24), (32, 40)])
def test_a_named_rule_resamples_now_and_afterwards(
    trained: Trained, resample: Dialect, size: tuple[int, int]
) -> None:
    model = trained()
    adapted = adapt(model, image_size=size, resample=resample)
    grid = (size[0] // 8, size[1] // 8)
    assert torch.equal(
        adapted.position.table, resample_table(model.position.table, (2, 3), grid, 1, resample)
    )
    assert adapted.config.resample == adapted.position.dialect == resample
    assert passport_of(adapted).architecture.resample == resample


def test_a_larger_patch_sees_enlarged_images_the_same(trained: Trained) -> None:
    model = trained()
    adapted = adapt(model, patch=12, image_size=(24, 36))
    assert adapted.config.grid == model.config.grid
    patches = torch.randn(6, 3, 8, 8)
    enlarged = F.interpolate(patches, 12, mode="bilinear", align_corners=False)
    torch.testing.assert_close(adapted.patch(enlarged), model.patch(patches), atol=1e-4, rtol=1e-4)


def test_another_patch_at_the_same_size_resamples_the_positions(trained: Trained) -> None:
    adapted = adapt(trained(), patch=4)
    assert adapted.config.grid == (4, 6)
    assert adapted.position.table.shape == (25, 12)
    assert adapted(torch.randn(1, 3, 16, 24)).shape == (1, 3)


def test_the_name_follows_the_patch(trained: Trained) -> None:
    sizes = {"width": 192, "depth": 12, "mlp_width": 768, "heads": 3, "name": "ViT-Ti/8"}
    assert adapt(trained(**sizes), patch=4).config.name == "ViT-Ti/4"
    assert adapt(trained(name="mine"), patch=4).config.name == "mine"


@pytest.mark.parametrize("stem", [None, ()])
@pytest.mark.parametrize("channels", [1, 4, 6])
def test_another_number_of_channels(
    trained: Trained, channels: int, stem: tuple[int, ...] | None
) -> None:
    size = {} if stem is None else {"patch": 8, "image_size": 16}
    adapted = adapt(trained(stem=stem, **size), channels=channels)
    rule = passport_of(adapted).preprocessing
    assert adapted.config.channels == rule.channels == len(rule.mean) == len(rule.std) == channels
    assert adapted(torch.randn(1, channels, *adapted.config.image_size)).shape == (1, 3)


def test_grey_gives_what_grey_stacked_gives(trained: Trained) -> None:
    model, grey = trained(), torch.randn(2, 1, 16, 24)
    adapted = adapt(model, channels=1)
    torch.testing.assert_close(adapted(grey), model(grey.expand(2, 3, 16, 24)))
    assert passport_of(adapted).preprocessing.mean == pytest.approx((0.5,))


def test_training_the_new_model_leaves_the_old_one(trained: Trained) -> None:
    model = trained()
    old = {parameter.data_ptr() for parameter in model.parameters()}
    assert not old & {parameter.data_ptr() for parameter in adapt(model).parameters()}
    shared = adapt(model, num_classes=2, share=True)
    assert old & {parameter.data_ptr() for parameter in shared.parameters()}


def test_everything_at_once(trained: Trained) -> None:
    adapted = adapt(
        trained(),
        class_names=("rose", "iris"),
        keep_head=True,
        image_size=(20, 28),
        patch=4,
        channels=1,
        resample="timm",
    )
    assert adapted(torch.randn(1, 1, 20, 28)).shape == (1, 2)
    assert passport_of(adapted).architecture == adapted.config


def test_wishes_that_contradict_themselves(trained: Trained) -> None:
    with pytest.raises(UserError, match="keep_head goes by name: give class_names="):
        adapt(trained(), keep_head=True)
    with pytest.raises(UserError, match="2 class names for a head of 3 classes"):
        adapt(trained(), num_classes=3, class_names=("rose", "b"), keep_head=True)
    with pytest.raises(UserError, match=r"model\.resample is 'tim': choose google or timm"):
        adapt(trained(), resample="tim")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"model\.patch is 0"):
        adapt(trained(), patch=0)
    with pytest.raises(UserError, match=r"model\.channels is 0"):
        adapt(trained(), channels=0)
    with pytest.raises(UserError, match="image height 16 is no multiple of the patch side 5"):
        adapt(trained(), patch=5)
    with pytest.raises(UserError, match="keeps its patch and channels"):
        adapt(trained(patch_norms=True), patch=4)
