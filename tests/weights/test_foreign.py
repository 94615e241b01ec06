import hashlib
from pathlib import Path

import pytest
import torch

import vitreous
from vitreous.errors import UserError
from vitreous.weights import foreign
from vitreous.weights.load import read_passport


def test_a_new_head_and_a_new_size(golden: Path) -> None:
    file = golden / "google_vit_token.npz"
    model = vitreous.load(file, num_classes=3, image_size=(48, 32))
    assert model.config.grid == (6, 4)
    assert torch.equal(model(torch.randn(2, 3, 48, 32)), torch.zeros(2, 3))
    assert vitreous.load(file).config.num_classes == 10


def test_the_passport_alone(golden: Path) -> None:
    file = golden / "google_vit_token.npz"
    assert read_passport(file) == vitreous.load(file).passport


def test_the_digest_of_a_large_file_is_made_when_it_is_written(
    golden: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(foreign, "_DIGEST_AT_ONCE", 0)
    file = golden / "google_vit_token.npz"
    model = vitreous.load(file)
    assert "sha256" not in model.passport.origin
    vitreous.save(model, tmp_path / "model.safetensors")
    origin = vitreous.load(tmp_path).passport.origin
    assert origin["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert origin["file"] == str(file)


@pytest.mark.parametrize(
    ("name", "layout", "tensor"),
    [
        ("google", "released", "Transformer/encoderblock_1/MlpBlock_3/Dense_1/kernel"),
        ("timm", "", "blocks.1.mlp.fc2.weight"),
        ("huggingface", "version 4", "vit.encoder.layer.1.output.dense.weight"),
        ("torchvision", "numbered", "encoder.layers.encoder_layer_1.mlp.3.weight"),
    ],
)
def test_nan_left_over_missing_and_misshapen(make, write, name, layout, tensor) -> None:
    model = make(activation="gelu")

    def nan(tensors):
        tensors[tensor].view(-1)[7] = float("nan")
        return tensors

    for change, complaint in (
        (nan, "not finite"),
        (lambda tensors: tensors | {"extra": torch.ones(1)}, r"no place for: 1 tensor \(extra\)"),
        (lambda tensors: {k: v for k, v in tensors.items() if k != tensor}, "lacks 1 tensor"),
        (lambda tensors: tensors | {tensor: torch.ones(2, 2)}, "does not fit"),
    ):
        with pytest.raises(UserError, match=complaint) as caught:
            vitreous.load(write(model, name, layout, change))
        assert "\n" not in str(caught.value)


def test_one_changed_number_makes_it_another_checkpoint(shared_data: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(shared_data / "vit_mnist_checkpoint" / "vit_mnist_gpu.safetensors")
    tensors["mlp_head.1.bias"][0] += 1
    save_file(tensors, tmp_path / "x.safetensors")
    model = vitreous.load(tmp_path / "x.safetensors")
    assert model.config.activation == "gelu"
    assert model.passport.assumptions
