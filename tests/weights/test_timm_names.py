import pytest

from vitreous.errors import UserError
from vitreous.weights.timm_names import is_read, refuse_unread, timm_defaults


@pytest.mark.parametrize(
    "name",
    [
        "vit_base_patch16_224",
        "vit_base_patch16_224.augreg2_in21k_ft_in1k",
        "vit_base_patch16_224_in21k",
        "timm/vit_large_patch14_clip_quickgelu_336.openai",
        "vit_so400m_patch14_siglip_gap_384",
        "vit_giant_patch14_reg4_dinov2",
        "vit_medium_patch16_reg4_gap_256",
        "deit_base_distilled_patch16_384",
        "deit3_small_patch16_224",
        "deit_small_patch16_LS",
        "flexivit_large",
        "eva_large_patch14_336",
        "resnetv2_50x1_bit.goog_in21k",
    ],
)
def test_plain_names_are_read(name: str) -> None:
    refuse_unread("x", name)
    assert is_read(name)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("vit_pe_core_small_patch16_384", "Perception Encoder, which has rotary positions"),
        ("vit_pe_spatial_tiny_patch16_512", "Perception Encoder"),
        ("vit_base_patch16_rope_ape_224", "rotary"),
        ("vit_medium_patch16_rope_reg1_gap_256", "rotary"),
        ("vit_small_patch16_dinov3", "DINOv3"),
        ("eva02_tiny_patch14_224", "EVA-02"),
        ("eva_giant_patch14_224", "EVA"),
        ("beit_base_patch16_224", "BEiT"),
        ("beit3_base_patch16_224", "BEiT-3"),
        ("naflexvit_base_patch16_gap", "NaFlexViT"),
        ("aimv2_large_patch14_224", "AIMv2"),
        ("vit_base_patch16_rpn_224", "norms behind"),
        ("vit_base_patch16_xp_224", "side by side"),
        ("vit_small_patch16_18x2_224", "side by side"),
        ("vit_dwee_patch16_reg1_gap_256", "differential"),
        ("vit_relpos_base_patch16_224", "relative position"),
        ("vit_base_r50_s16_224", "hybrid"),
        ("vit_base_patch16_radio_v3", "RADIO"),
        ("swin_tiny_patch4_window7_224", "Swin"),
        ("test_vit3", "registers"),
        ("vit_base_patch16_something_224", "no name of those read here"),
        ("my_vit", "architecture="),
    ],
)
def test_others_are_refused_by_name(name: str, word: str) -> None:
    with pytest.raises(UserError, match=word) as caught:
        refuse_unread("x", name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_name_says_beside_tensors() -> None:
    assert timm_defaults("vit_base_patch16_clip_quickgelu_224").activation == "quick_gelu"
    assert timm_defaults("vit_base_patch16_clip_224").norm_eps == 1e-5
    assert timm_defaults("deit3_small_patch16_224").preprocessing["mean"][0] == 0.485
    assert timm_defaults("vit_tiny_patch16_224").preprocessing["crop_fraction"] == 0.9
    assert timm_defaults("vit_base_patch16_clip_224").preprocessing["mean"][0] == 0.48145466
