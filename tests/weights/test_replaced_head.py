from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError

LAYOUTS = {
    "torchvision": ("published", "heads.head"),
    "timm": ("", "head"),
    "huggingface": ("version 4", "classifier"),
}


@pytest.mark.parametrize(
    ("family", "module"),
    [
        ("torchvision", "heads"),
        ("torchvision", "heads.0"),
        ("torchvision", "heads.1"),
        ("torchvision", "heads.head.1"),
        ("torchvision", "heads.classifier"),
        ("timm", "head.1"),
        ("timm", "head.fc"),
        ("huggingface", "classifier.1"),
    ],
)
def test_one_linear_layer_by_any_name(
    make, write, tmp_path: Path, family: str, module: str
) -> None:
    layout, usual = LAYOUTS[family]
    model = make(activation="gelu", norm_eps=1e-12 if family == "huggingface" else 1e-6)
    tensors = load_file(write(model, family, layout))
    renamed = {f"{module}.{part}": tensors.pop(f"{usual}.{part}") for part in ("weight", "bias")}
    save_file(tensors | renamed, tmp_path / "x.safetensors")
    ours = vitreous.load(tmp_path / "x.safetensors")
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), model(images))


def test_several_layers_are_refused_by_name(make, write, tmp_path: Path) -> None:
    tensors = load_file(write(make(activation="gelu"), "torchvision", "published"))
    for part in ("weight", "bias"):
        tensors[f"heads.2.{part}"] = tensors.pop(f"heads.head.{part}")
    tensors |= {"heads.0.weight": torch.ones(64, 64), "heads.0.bias": torch.ones(64)}
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=r"head has 2 layers with weights.*no tensor shows"):
        vitreous.load(tmp_path / "x.safetensors")
