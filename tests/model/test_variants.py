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
    "ViT-b/32": 22_878_952,
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
    "R50+ViT-B/32": 110_945_832,
    "R50+ViT-B/16": 98_659_112,
    "R50+ViT-L/16": 316_483_624,
    "R50+ViT-L/32": 328_994_856,
    "BiT-R50x1": 25_549_352,
    "BiT-R50x3": 217_319_080,
    "BiT-R101x1": 44_541_480,
    "BiT-R101x3": 387_934_888,
    "BiT-R152x2": 236_335_208,
    "BiT-R152x4": 936_533_224,
    "ResNet-18": 11_689_512,
    "ResNet-34": 21_797_672,
    "ResNet-50": 25_557_032,
    "ResNet-101": 44_549_160,
    "ResNet-152": 60_192_808,
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


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name.startswith("BiT")])
def test_a_resnets_parameters_follow_from_its_widths(name: str) -> None:
    """Counted from the paper's description: bottlenecks of m, m and 4m channels."""
    depth, factor = name.removeprefix("BiT-R").split("x")
    units = {"50": (3, 4, 6, 3), "101": (3, 4, 23, 3), "152": (3, 8, 36, 3)}[depth]
    m = 64 * int(factor)
    count, before = 7 * 7 * 3 * m, m
    for number in units:
        count += before * 4 * m  # the projection
        for _ in range(number):
            count += before * m + 9 * m * m + m * 4 * m + 2 * (before + m + m)
            before = 4 * m
        m *= 2
    assert PARAMETERS[name] == count + 2 * before + 1000 * (before + 1)


def test_the_papers_halved_model_is_spelt_with_a_small_b(caplog: pytest.LogCaptureFixture) -> None:
    half, whole = variant_config("ViT-b/32"), variant_config("ViT-B/32")
    for field in ("width", "mlp_width", "heads"):
        assert 2 * getattr(half, field) == getattr(whole, field)
    assert (half.depth, half.patch) == (whole.depth, whole.patch)
    assert variant_config(" ViT-b/32@384 ") == variant_config("ViT-b/32", image_size=384)
    assert variant_config("ViT-b/16").name == "ViT-b/16"
    assert not caplog.records


@pytest.mark.parametrize("spelling", ["b/32", "vit-b/32", "VIT-b/32", "vit b/32", "vit-b/32@224"])
def test_what_comes_near_to_the_small_b_is_the_large_one_and_says_so(
    spelling: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert variant_config(spelling) == variant_config("ViT-B/32")
    assert caplog.messages == [
        f"{spelling!r} is taken for ViT-B/32; the paper's halved model is spelt ViT-b/32 exactly"
    ]


@pytest.mark.parametrize(
    "spelling", ["vit_b_32", "vit-b-32", "b32", "B/32", "VIT-B/32", "vit_base_patch32", "vit-b/16"]
)
def test_other_spellings_of_the_large_b_are_clear(
    spelling: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert variant_config(spelling).name == f"ViT-B/{spelling[-2:]}"
    assert not caplog.records


@pytest.mark.parametrize("model", ["B/32", "B/16", "L/32", "L/16"])
def test_the_papers_hybrids_may_name_the_width_of_their_resnet(model: str) -> None:
    assert variant_config(f"R50x1+ViT-{model}") == variant_config(f"R50+ViT-{model}")
    assert variant_config(f"r50x1_vit_{model}").name == f"R50+ViT-{model}"
    for wrong in ("R50x2", "R50x10", "Rx1"):
        with pytest.raises(UserError, match=r"hybrids are .*R50\+ViT-B/32|unknown model"):
            variant_config(f"{wrong}+ViT-{model}")


@pytest.mark.parametrize(
    "spelling",
    ["bit_r50x3", "BiT-M-R50x3", "bit-s-r50x3", "resnetv2_50x3_bit", "resnetv2_50x3_bitm", "R50x3"],
)
def test_spellings_of_one_resnet(spelling: str) -> None:
    assert variant_config(spelling) == variant_config("BiT-R50x3")


def test_any_width_factor_is_spelt_the_same_way() -> None:
    config = variant_config("BiT-R200x3", image_size=160)
    assert (config.name, config.units, config.width) == ("BiT-R200x3", (3, 24, 36, 3), 6144)
    assert config.grid == (5, 5)
    with pytest.raises(UserError, match="unknown model field 'patch'"):
        variant_config("BiT-R50x1", patch=16)
    with pytest.raises(UserError, match="nearest are .*BiT-R50x1"):
        variant_config("BiT-R51x1")


@pytest.mark.parametrize("width", [192, 384, 768])
def test_heads_of_the_smaller_sizes_are_64_wide(width: int) -> None:
    transformers = [variant_config(name) for name in PARAMETERS if "ViT" in name]
    widths = {config.width: config.head_dim for config in transformers}
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
        ("ViT-b/0", "ViT-B/8"),
        ("vit-q/32", "ViT-B/32"),
        ("bit-r51x1", "BiT-R50x1"),
        ("resnet51", "ResNet-50"),
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
