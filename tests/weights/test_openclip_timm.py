import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert

TEXT = {"text.transformer.embeddings.weight": torch.ones(4, 4), "logit_scale": torch.ones(())}


def as_openclip(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    kernel = tensors.pop("head.weight")
    del tensors["head.bias"]
    trunk = {f"visual.trunk.{name}": tensor for name, tensor in tensors.items()}
    return TEXT | trunk | {"visual.head.proj.weight": kernel}


@pytest.fixture
def folder(make, write, tmp_path: Path) -> Path:
    tensors = load_file(write(make(activation="gelu"), "timm"))
    torch.save(as_openclip(tensors), tmp_path / "open_clip_pytorch_model.bin")
    tower = {"timm_model_name": "vit_tiny_patch16_224", "timm_proj": "linear", "image_size": 16}
    images = {"mean": [0.4, 0.4, 0.4], "std": [0.3, 0.3, 0.3], "interpolation": "bilinear"}
    said = {"model_cfg": {"embed_dim": 5, "vision_cfg": tower}, "preprocess_cfg": images}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(said))
    (tmp_path / "timm.safetensors").unlink()
    return tmp_path


def test_the_tower_and_its_projection_are_read(folder: Path, make) -> None:
    model, ours = make(activation="gelu"), vitreous.load(folder)
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), model(images) - model.head.bias)
    rule = ours.passport.preprocessing
    assert (rule.mean[0], rule.interpolation) == (0.4, "bilinear")
    assert "left out the text tower (2 tensors)" in ours.passport.assumptions


def test_a_tower_that_is_not_read_is_refused_by_name(folder: Path) -> None:
    file = folder / "open_clip_config.json"
    file.write_text(
        file.read_text().replace("vit_tiny_patch16_224", "vit_pe_core_tiny_patch16_384")
    )
    with pytest.raises(UserError, match="vit_pe_core_tiny_patch16_384.*rotary"):
        vitreous.load(folder)


def test_it_is_not_written(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot say"):
        convert(vitreous.load(folder), tmp_path / "out", "openai")
