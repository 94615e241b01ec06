import pytest

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.variants import list_models, variant_config

# 224 pixels, 1000 classes. Ti/16, S/16, B/16, L/16 and H/14 are the published counts; the others
# follow from them by the size of patch and grid.
PARAMETERS = {
    "ViT-Ti/16": 5_717_416,
    "ViT-S/32": 22_878_952,
    "ViT-S/16": 22_050_664,
    "ViT-S/8": 22_055_272,
    "ViT-B/32": 88_224_232,
    "ViT-B/16": 86_567_656,
    "ViT-B/8": 86_576_872,
    "ViT-L/32": 306_535_400,
    "ViT-L/16": 304_326_632,
    "ViT-H/14": 632_045_800,
    "ViT-g/14": 1_012_611_432,
    "R+ViT-Ti/16": 6_337_704,
    "R26+ViT-S/32": 36_431_912,
    "R26+ViT-B/32": 101_383_976,
    "R50+ViT-B/16": 98_659_112,
    "R50+ViT-L/16": 316_483_624,
    "R50+ViT-L/32": 328_994_856,
}


def test_every_listed_variant_has_its_row() -> None:
    assert list_models() == list(PARAMETERS)


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_parameters_are_exactly_as_many_as_published(name: str, count: int) -> None:
    model = empty_model(variant_config(name))
    assert all(parameter.is_meta for parameter in model.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert model.config.name == name
    assert model.config.image_size == (224, 224)


@pytest.mark.parametrize("width", [192, 384, 768])
def test_heads_of_the_smaller_sizes_are_64_wide(width: int) -> None:
    widths = {variant_config(name).width: variant_config(name).head_width for name in PARAMETERS}
    assert widths[width] == 64


@pytest.mark.parametrize(
    "spelling",
    [
        "ViT-B/16",
        "vit-b/16",
        "VIT-B/16",
        "B/16",
        "b16",
        "B_16",
        "vit_b_16",
        "base/16",
        " ViT-B/16 ",
        "vit_base_patch16",
        "vit_base_patch16_224",
        "ViT_Base_Patch16_224",
        "ViT-B/16@224",
    ],
)
def test_spellings_of_one_model(spelling: str) -> None:
    assert variant_config(spelling) == variant_config("ViT-B/16")


def test_a_spelling_may_hold_the_image_size() -> None:
    assert variant_config("vit_large_patch16_384").image_size == (384, 384)
    assert variant_config("S/16@96") == variant_config("ViT-S/16", image_size=(96, 96))


def test_any_patch_side_takes_the_size_nearest_to_224() -> None:
    config = variant_config("ViT-Ti/10")
    assert (config.name, config.image_size, config.grid) == ("ViT-Ti/10", (220, 220), (22, 22))
    assert variant_config("ViT-B/300").image_size == (300, 300)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ViT-X/16", "ViT-B/16"),
        ("vit-b/0", "ViT-B/8"),
        ("resnet50", "R50\\+ViT-B/16"),
        ("", "ViT-H/14"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UserError, match=f"unknown model {name!r}: nearest are .*{nearest}"):
        variant_config(name)


def test_a_capital_g_is_another_model_than_g() -> None:
    assert variant_config("vit_g_14") == variant_config("vit_giant_patch14_224")
    with pytest.raises(UserError, match="nearest are ViT-g/14"):
        variant_config("ViT-G/14")


def test_overrides_are_fields_of_the_config() -> None:
    config = variant_config("B/16", num_classes=5, image_size=384, channels=1)
    assert (config.num_classes, config.image_size, config.channels) == (5, (384, 384), 1)
    with pytest.raises(UserError, match="unknown model field 'classes'"):
        variant_config("B/16", classes=5)
