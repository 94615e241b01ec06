"""Each family's own code, where it is installed, beside ours: the bar is 2e-5.

Skipped where timm or transformers cannot be imported; the plain forwards of
`tests/weights/test_plain_forward.py` run always.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
import vitreous.errors
from vitreous.weights.convert import convert
from vitreous.weights.timm_names import is_read, timm_defaults

pytestmark = pytest.mark.filterwarnings("ignore")
TOLERANCE = 2e-5
SIZES = {
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 192,
    "image_size": 32,
    "patch_size": 8,
}
DINOV2 = {name: value for name, value in SIZES.items() if name != "intermediate_size"}
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 32,
    "vocab_size": 50,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
Answer = Callable[[torch.nn.Module, torch.Tensor], torch.Tensor]


def pooled(model: Any, images: torch.Tensor, **options: Any) -> torch.Tensor:
    return model(images, **options).pooler_output


def logits(model: Any, images: torch.Tensor, **options: Any) -> torch.Tensor:
    return model(images, **options).logits


def projected(model: Any, images: torch.Tensor, **options: Any) -> torch.Tensor:
    return model(images, **options).image_embeds


def towers(model: Any, images: torch.Tensor, **options: Any) -> torch.Tensor:
    return model.get_image_features(images, **options).pooler_output


# Class, config's class, fields of the config, what to compare, whether another size is asked for.
HUGGINGFACE: list[tuple[str, str, dict[str, Any], Any, dict[str, Any]]] = [
    ("Dinov2Model", "Dinov2Config", DINOV2, pooled, {}),
    ("Dinov2Model", "Dinov2Config", DINOV2 | {"use_swiglu_ffn": True}, pooled, {}),
    ("Dinov2ForImageClassification", "Dinov2Config", DINOV2, logits, {}),
    ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", DINOV2, pooled, {}),
    (
        "Dinov2WithRegistersForImageClassification",
        "Dinov2WithRegistersConfig",
        DINOV2 | {"use_swiglu_ffn": True},
        logits,
        {},
    ),
    ("CLIPVisionModel", "CLIPVisionConfig", SIZES, pooled, {"interpolate_pos_encoding": True}),
    (
        "CLIPVisionModelWithProjection",
        "CLIPVisionConfig",
        SIZES | {"projection_dim": 10, "hidden_act": "gelu"},
        projected,
        {"interpolate_pos_encoding": True},
    ),
    (
        "CLIPModel",
        "CLIPConfig",
        {"text_config": TEXT, "vision_config": SIZES, "projection_dim": 10},
        towers,
        {"interpolate_pos_encoding": True},
    ),
    ("SiglipVisionModel", "SiglipVisionConfig", SIZES, pooled, {"interpolate_pos_encoding": True}),
    (
        "SiglipModel",
        "SiglipConfig",
        {"text_config": TEXT, "vision_config": SIZES},
        towers,
        {"interpolate_pos_encoding": True},
    ),
    (
        "SiglipForImageClassification",
        "SiglipConfig",
        {"text_config": TEXT, "vision_config": SIZES},
        logits,
        {"interpolate_pos_encoding": True},
    ),
    (
        "DeiTForImageClassificationWithTeacher",
        "DeiTConfig",
        SIZES,
        logits,
        {"interpolate_pos_encoding": True},
    ),
    ("DeiTModel", "DeiTConfig", SIZES, pooled, {"interpolate_pos_encoding": True}),
]


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers", reason="compares with transformers: not installed")


@pytest.fixture(scope="module")
def timm() -> Any:
    return pytest.importorskip("timm", reason="compares with timm: not installed")


def shaken(model: torch.nn.Module) -> Any:
    """Every tensor at random; norms around one."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = float("norm" in name and name.endswith("weight"))
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.08 + centre)
    return model.eval()


def images(height: int, width: int) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(2))


@torch.inference_mode()
def difference(ours: Any, answer: Any, *size: int) -> float:
    return float((ours(images(*size)) - answer(images(*size))).abs().max())


@pytest.mark.parametrize("names", ["as it saves", "as it holds"])
@pytest.mark.parametrize(
    ("model", "config", "fields", "answer", "resized"),
    HUGGINGFACE,
    ids=[f"{row[0]}{'-swiglu' * ('use_swiglu_ffn' in row[2])}" for row in HUGGINGFACE],
)
def test_huggingface(transformers, tmp_path, names, model, config, fields, answer, resized) -> None:
    theirs = shaken(getattr(transformers, model)(getattr(transformers, config)(**fields)))
    if names == "as it saves":
        theirs.save_pretrained(tmp_path / "theirs")
    else:
        (tmp_path / "theirs").mkdir()
        save_file(theirs.state_dict(), tmp_path / "theirs" / "model.safetensors")
        (tmp_path / "theirs" / "config.json").write_text(theirs.config.to_json_string(False))
    ours = vitreous.load(tmp_path / "theirs")
    assert difference(ours, partial(answer, theirs), 32, 32) <= TOLERANCE
    assert difference(ours, partial(answer, theirs, **resized), 48, 64) <= TOLERANCE
    assert convert(ours, tmp_path / "out", "huggingface").difference == 0
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    kind = getattr(transformers, written["architectures"][0])
    again, found = kind.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not found["missing_keys"]
    assert not found["unexpected_keys"]
    same = projected if answer is towers and "CLIP" in model else answer
    same = pooled if answer is towers and "Siglip" in model else same
    assert difference(ours, partial(same, again.eval()), 32, 32) <= TOLERANCE


def test_huggingface_in_several_files(transformers, tmp_path) -> None:
    theirs = shaken(transformers.Dinov2Model(transformers.Dinov2Config(**DINOV2)))
    theirs.save_pretrained(tmp_path, max_shard_size="300KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert difference(vitreous.load(tmp_path), partial(pooled, theirs), 32, 32) <= TOLERANCE


CLIP = {"pre_norm": True, "num_classes": 10}
TIMM = {
    "vit_base_patch16_clip_quickgelu_224": CLIP,
    "vit_base_patch16_clip_224": CLIP,
    "vit_base_patch16_siglip_224": {"num_classes": 0},
    "vit_so400m_patch16_siglip_256": {"num_classes": 6, "reg_tokens": 2},
    "deit_base_distilled_patch16_224": {"num_classes": 7},
    "vit_giant_patch14_dinov2": {"num_classes": 0},
    "vit_base_patch14_reg4_dinov2": {"num_classes": 0},
    "vit_base_patch16_siglip_gap_224": {"num_classes": 5},
}


@pytest.mark.parametrize("name", TIMM)
def test_timm(timm, tmp_path, name) -> None:
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 128, "depth": 3, "num_heads": 2}
    make = partial(timm.create_model, name, mlp_ratio=2.0, **sizes, **TIMM[name])
    theirs, flexible = shaken(make()), make(dynamic_img_size=True).eval()
    flexible.load_state_dict(theirs.state_dict())
    timm.models.save_for_hf(theirs, tmp_path / "theirs", model_args=sizes)
    ours = vitreous.load(tmp_path / "theirs")
    assert difference(ours, theirs, 32, 32) <= TOLERANCE
    assert difference(ours, flexible, 48, 64) <= TOLERANCE
    assert convert(ours, tmp_path / "out", "timm").difference == 0
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    again = timm.create_model(
        written["architecture"], num_classes=written["num_classes"], **written["model_args"]
    )
    again.load_state_dict(load_file(tmp_path / "out" / "model.safetensors"))
    assert difference(ours, again.eval(), 32, 32) <= TOLERANCE


def test_patches_that_leave_a_rest(timm, tmp_path: Path) -> None:
    sizes = {"img_size": 30, "patch_size": 8, "embed_dim": 64, "depth": 1, "num_heads": 1}
    theirs = shaken(timm.create_model("vit_base_patch16_siglip_224", num_classes=0, **sizes))
    timm.models.save_for_hf(theirs, tmp_path, model_args=sizes)
    ours = vitreous.load(tmp_path)
    assert (ours.config.image_size, ours.config.grid) == ((30, 30), (3, 3))
    assert difference(ours, theirs, 30, 30) <= TOLERANCE


# Modules of timm whose models have the names of a plain ViT, in whole or in part.
MODULES = (
    *("vision_transformer", "vision_transformer_hybrid", "deit", "eva", "beit", "naflexvit"),
    *("vision_transformer_relpos", "vision_transformer_sam"),
)
TINY: tuple[dict[str, Any], ...] = (
    {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 2, "num_heads": 2},
    {"img_size": 64, "embed_dim": 64, "depth": 2, "num_heads": 2},
    {"embed_dim": 64, "depth": 2, "num_heads": 2},
)
# What an assumption names where a reading of bare tensors differs from the model they are of.
UNKNOWN = ("activation", "pooling", "epsilon", "gated MLP")


def attentive(model: torch.nn.Module) -> Any:
    """Every tensor at random, queries and keys so large that attention discriminates."""
    model = shaken(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(word in name for word in ("qkv.weight", "q_proj.weight", "k_proj.weight")):
                parameter.mul_(8)
    return model


def tiny(timm: Any, name: str) -> tuple[Any, dict[str, Any]] | None:
    """A small model of this name and its sizes, where timm makes one."""
    for sizes in TINY:
        try:
            return attentive(timm.create_model(name, num_classes=5, **sizes)), sizes
        except Exception:  # noqa: S112 - a constructor that takes other words
            continue
    return None


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("named", [True, False], ids=["config", "bare"])
def test_no_name_of_timms_is_misread(timm, tmp_path, module: str, named: bool) -> None:
    """Equal logits or a refusal; without a config, or an assumption that names what is unknown."""
    outcomes: dict[str, list[str]] = {"equal": [], "refused": [], "assumed": [], "misread": []}
    for name in timm.list_models(module=module):
        made = tiny(timm, name)
        if made is None:
            continue
        theirs, sizes = made
        folder = tmp_path / name
        timm.models.save_for_hf(theirs, folder, model_args=sizes)
        if not named:
            (folder / "config.json").unlink()
        try:
            ours = vitreous.load(folder, **({} if named else {"heads": 2}))
        except vitreous.errors.UserError:
            outcomes["refused"].append(name)
            continue
        side = sizes.get("img_size", 64)
        pixels = images(side, side).double()  # large queries and keys enlarge rounding too
        with torch.inference_mode():
            expected = theirs.double()(pixels)
            off = float((ours.double()(pixels) - expected).abs().max() / expected.abs().max())
        said = " ".join(ours.passport.assumptions)
        outcome = "equal" if off <= TOLERANCE else "misread"
        if outcome == "misread" and not named and any(word in said for word in UNKNOWN):
            outcome = "assumed"
        outcomes[outcome].append(name)
    print({outcome: len(names) for outcome, names in outcomes.items()}, outcomes["assumed"])
    assert not outcomes["misread"]
    assert sum(map(len, outcomes.values()))


WORDS = {"image_size": 32, "patch_size": 8, "num_classes": 7, "dim": 48, "depth": 2, "heads": 3}
WORDS |= {"mlp_dim": 80, "dim_head": 16, "dropout": 0.1, "emb_dropout": 0.2}
LUCIDRAINS: dict[str, dict[str, Any]] = {
    "class token": {},
    "mean": {"pool": "mean"},
    "one head": {"heads": 1, "dim_head": 48},
    "wide heads": {"dim_head": 64},
    "oblong": {"image_size": (24, 32), "patch_size": (12, 4)},
    "without dropout": {"dropout": 0.0, "emb_dropout": 0.0},
}


@pytest.mark.parametrize("case", LUCIDRAINS)
def test_lucidrains_words(tmp_path: Path, case: str) -> None:
    """The model from the constructor's words, its weights in vit-pytorch's model of the same."""
    vit_pytorch = pytest.importorskip("vit_pytorch", reason="compares with vit-pytorch")
    words = WORDS | LUCIDRAINS[case]
    ours, theirs = shaken(vitreous.from_lucidrains(**words)), vit_pytorch.ViT(**words).eval()
    assert convert(ours, tmp_path / "out", "lucidrains").difference == 0
    theirs.load_state_dict(load_file(tmp_path / "out" / "model.safetensors"))
    size = words["image_size"]
    assert difference(ours, theirs, *((size, size) if isinstance(size, int) else size)) <= TOLERANCE


# The first weights under these names are LAION's, which were trained with [-1, 1].
HALF = ("vit_large_patch14_clip_224", "vit_large_patch14_clip_336")


@pytest.mark.parametrize("module", ["vision_transformer", "deit"])
def test_what_a_name_says_of_images(timm, module: str) -> None:
    for name in filter(is_read, timm.list_models(module=module)):
        said, published = timm_defaults(name), timm.get_pretrained_cfg(name)
        if name not in HALF:
            assert tuple(published.mean) == said.preprocessing["mean"], name
            assert tuple(published.std) == said.preprocessing["std"], name
        assert abs(published.crop_pct - said.preprocessing["crop_fraction"]) < 0.11, name
