"""Every family's own answers, before and after a round trip."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import vitreous
from vitreous.model.vit import VisionTransformer
from vitreous.weights.convert import convert
from vitreous.weights.read import open_checkpoint

NAMES = [
    "google_bit.npz",
    "google_hybrid_stem.npz",
    "google_hybrid_two_stages.npz",
    "google_vit_gap.npz",
    "google_vit_token.npz",
    "google_vit_token_representation.npz",
    "hf_vit.safetensors",
    "lucidrains_vit.safetensors",
    "lucidrains_vit_mean.safetensors",
    "timm_vit_avg_fc_norm.safetensors",
    "timm_vit_registers_layerscale.safetensors",
    "timm_vit_token.safetensors",
    "timm_vit_token_48x64.safetensors",
    "torchvision_vit.safetensors",
]
FAMILIES = [
    "lucidrains_1.16.0_mean",
    "lucidrains_1.2.0",
    "lucidrains_1.6.5",
    "lucidrains_one_head",
    "lucidrains_walkthrough",
    "lucidrains_walkthrough_mean",
]
TOLERANCE = 2e-5


def differences(model: VisionTransformer, golden: Path, name: str) -> dict[str, float]:
    with np.load(golden / f"{Path(name).stem}.expected.npz", allow_pickle=False) as expected:
        arrays = {key: torch.from_numpy(expected[key]) for key in expected.files}
    found = {}
    for key, images in arrays.items():
        if match := re.fullmatch(r"images(.*)", key):
            wanted = next(k for k in arrays if re.fullmatch(rf"logits{match[1]}(_bicubic.*)?", k))
            with torch.inference_mode():
                found[key] = float((model(images) - arrays[wanted]).abs().max())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_gives_its_own_familys_logits(golden: Path, name: str) -> None:
    found = differences(vitreous.load(golden / name), golden, name)
    assert set(found) >= {"images"}
    assert max(found.values()) <= TOLERANCE, found


def test_the_resized_outputs_are_among_them(golden: Path) -> None:
    counts = {name: len(differences(vitreous.load(golden / name), golden, name)) for name in NAMES}
    assert [name for name, count in counts.items() if count == 2] == [
        "google_vit_gap.npz",
        "google_vit_token.npz",
        "timm_vit_token_48x64.safetensors",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_round_trip_through_its_own_format_is_bit_equal(
    golden: Path, tmp_path: Path, name: str
) -> None:
    model = vitreous.load(golden / name)
    out = tmp_path / name
    proof = convert(model, out, model.passport.origin["family"])
    assert proof.difference == 0
    before, after = open_checkpoint(golden / name), open_checkpoint(out)
    assert after.shapes == before.shapes
    for tensor in before.shapes:
        # Of an .npz, a tensor lasts only until the next is read.
        assert torch.equal(before.read(tensor).clone(), after.read(tensor)), tensor
    assert max(differences(vitreous.load(out), golden, name).values()) <= TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_round_trip_through_our_own_format(golden: Path, tmp_path: Path, name: str) -> None:
    model = vitreous.load(golden / name)
    vitreous.save(model, tmp_path / "model.safetensors")
    again = vitreous.load(tmp_path)
    assert max(differences(again, golden, name).values()) <= TOLERANCE
    assert again.passport.origin["family"] == model.passport.origin["family"]
    for tensor, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[tensor]), tensor


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("google_vit_token.npz", "huggingface"),
        ("google_vit_token.npz", "timm"),
        ("google_vit_gap.npz", "big_vision"),
        ("google_vit_gap.npz", "timm"),
        ("timm_vit_token.safetensors", "huggingface"),
        ("timm_vit_token.safetensors", "torchvision"),
        ("torchvision_vit.safetensors", "timm"),
        ("torchvision_vit.safetensors", "huggingface"),
        ("hf_vit.safetensors", "timm"),
    ],
)
def test_another_familys_format_gives_the_same_logits(
    golden: Path, tmp_path: Path, name: str, to: str
) -> None:
    convert(vitreous.load(golden / name), tmp_path / "out", to)
    again = vitreous.load(tmp_path / "out")
    assert again.passport.origin["family"] == to
    assert differences(again, golden, name)["images"] <= TOLERANCE


@pytest.mark.parametrize("name", FAMILIES)
def test_a_further_family_gives_its_own_logits_before_and_after_a_round_trip(
    golden: Path, tmp_path: Path, name: str
) -> None:
    file = golden / "families" / f"{name}.safetensors"
    if not file.is_file():
        pytest.skip(f"needs golden/families/{file.name} of the shared folder beside the checkout")
    with np.load(file.with_suffix(".expected.npz"), allow_pickle=False) as expected:
        images, logits = (torch.from_numpy(expected[key]) for key in ("images", "logits"))
    model = vitreous.load(file)
    convert(model, tmp_path / "theirs", model.passport.origin["family"])
    vitreous.save(model, tmp_path / "ours.safetensors")
    for each in (
        model,
        vitreous.load(tmp_path / "theirs"),
        vitreous.load(tmp_path / "ours.safetensors"),
    ):
        with torch.inference_mode():
            assert (each(images) - logits).abs().max() <= TOLERANCE * logits.abs().max()
