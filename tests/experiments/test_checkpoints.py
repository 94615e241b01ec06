"""What a checkpoint is called, and what its digest covers."""

import json
from pathlib import Path

import pytest

import vitreous
from vitreous.errors import UserError
from vitreous.experiments.checkpoints import checkpoints, digest_of
from vitreous.weights.convert import convert


def named(folder: Path, *names: str) -> dict[str, str]:
    """What is found where folders (without a suffix of files) and files lie."""
    folder.mkdir()
    for name in names:
        file = folder / name
        if file.suffix not in (".npz", ".safetensors"):
            file.mkdir()
            file = file / "model.safetensors"
        file.touch()
    return {name: path.name for name, path in checkpoints(folder).items()}


def test_names_of_rows(tmp_path: Path) -> None:
    timm = ("vit_base.augreg_in21k", "vit_base.orig_in21k")
    assert named(tmp_path / "a", *timm) == {name: name for name in timm}
    assert named(tmp_path / "b", "x.npz", "y.z.safetensors") == {
        "x": "x.npz",
        "y.z": "y.z.safetensors",
    }
    for number, twins in enumerate([("x.npz", "x.safetensors"), ("x", "x.npz")]):
        assert named(tmp_path / str(number), *twins) == {name: name for name in twins}


def test_one_folder_is_called_by_its_name_from_inside_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.1").mkdir()
    (tmp_path / "run.1" / "model.safetensors").touch()
    monkeypatch.chdir(tmp_path / "run.1")
    assert checkpoints(Path()) == {"run.1": Path()}


def test_the_digest_covers_the_json_beside_the_tensors(tmp_path: Path) -> None:
    config = vitreous.ViTConfig(
        name="ViT", image_size=(16, 16), patch=4, width=64, depth=1, mlp_width=16, heads=1,
        num_classes=2,
    )  # fmt: skip
    folder = tmp_path / "hf"
    convert(vitreous.create_model(config), folder, "huggingface")
    digests = [digest_of(folder)]
    assert digest_of(folder) == digests[0]
    for name, field, value in (
        ("preprocessor_config.json", "image_mean", [0.1, 0.2, 0.3]),
        ("config.json", "layer_norm_eps", 1e-3),
    ):
        fields = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(fields | {field: value}))
        digests.append(digest_of(folder))
    assert len(set(digests)) == 3


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"bad\.npz is no .*; otherwise take it out of --weights"):
        digest_of(tmp_path / "bad.npz")
