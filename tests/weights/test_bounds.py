"""Checkpoints that claim more than their files hold, or change after they were read."""

import json
import os
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights import bounds
from vitreous.weights.convert import convert
from vitreous.weights.read import open_checkpoint


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"a.weight": torch.randn(4, 6), "a.bias": torch.randn(4)}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("place", [0, 3, -1])
def test_every_number_of_an_npz_is_checked(tmp_path: Path, compression: int, place: int) -> None:
    """By the checksum that the archive itself keeps."""
    path = tmp_path / "x.npz"
    numbers = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)
    with zipfile.ZipFile(path, "w", compression) as archive:
        with archive.open("a.npy", "w") as file:
            np.lib.format.write_array(file, numbers)
        with archive.open("Transformer/encoderblock/b.npy", "w") as file:
            np.lib.format.write_array(file, numbers)
    _read_all(path)
    data = bytearray(path.read_bytes())
    if compression == zipfile.ZIP_STORED:
        starts = [at for at in range(len(data)) if data[at : at + 840] == numbers.tobytes()]
        assert len(starts) == 2
        for start in starts:
            data[start + place % 840] ^= 0x40
    else:
        data[data.index(b"a.npy") + 40] ^= 0x40
        data[data.index(b"encoderblock/b.npy") + 60] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"x\.npz"):
        _read_all(path)


def _read_all(path: Path) -> None:
    checkpoint = open_checkpoint(path)
    for name in checkpoint.shapes:
        checkpoint.read(name)


def test_an_empty_npz(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "x.npz", "w").close()
    with pytest.raises(UserError, match="holds no tensors"):
        vitreous.load(tmp_path / "x.npz")
    save_file({}, tmp_path / "x.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="holds no tensors"):
        vitreous.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize("shape", [(10**9, 0), (10**9, 0, 5), (20_000, 1)])
def test_stacked_layers_without_end(tmp_path: Path, shape: tuple[int, ...]) -> None:
    text = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode() + b"\n"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        body = bytes(80_000) if shape[1] else b""
        head = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text
        archive.writestr("Transformer/encoderblock/a.npy", head + body)
    with pytest.raises(UserError, match=r"claims .* layers"):
        open_checkpoint(tmp_path / "x.npz")


EXPANDED: dict[str, Any] = {
    "rows": lambda: torch.zeros(1, 1).expand(10**9, 6),
    "one": lambda: torch.zeros(1).expand(10**14),
    "twice": lambda: torch.zeros(5).expand(2, 5),
    "sparse": lambda: torch.randn(4, 4).to_sparse(),
    "meta": lambda: torch.zeros(4, device="meta"),
}


@pytest.mark.parametrize("kind", EXPANDED)
def test_tensors_of_a_pth_that_are_not_what_they_seem(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.pth"
    torch.save(tensors() | {"b": EXPANDED[kind]()}, path)
    with pytest.raises(UserError, match=r"x\.pth"):
        open_checkpoint(path)


def test_views_that_share_what_is_there_are_read(tmp_path: Path) -> None:
    """Tied weights, rows of a larger tensor and transposes are all honest."""
    whole = torch.randn(6, 6)
    path = tmp_path / "x.pth"
    torch.save({"a": whole, "b": whole, "c": whole[2:4], "d": whole.mT}, path)
    checkpoint = open_checkpoint(path)
    assert torch.equal(checkpoint.tensor("d"), whole.mT)


@pytest.mark.parametrize("zipped", [True, False])
def test_parameters_are_tensors(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "x.pth"
    held = {name: torch.nn.Parameter(tensor) for name, tensor in tensors().items()}
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(open_checkpoint(path).tensor("a.bias"), held["a.bias"].detach())


def test_a_packed_pth(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a/data.pkl", "w") as file:
            for _ in range(300):
                file.write(bytes(2**20))
    with pytest.raises(UserError, match=r"data\.pkl is compressed"):
        open_checkpoint(path)


def test_a_table_of_tensors_that_is_larger_than_any(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\2" + b"N0" * (bounds.MAX_PICKLE // 2) + b"N.")
    with pytest.raises(UserError, match="over the limit of 8 MiB"):
        open_checkpoint(path)


def test_an_old_pickle_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_MAX_READS", 10_000)
    path = tmp_path / "x.pth"
    magic = b"\x80\2\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\2M\xe9\3."  # of this format, 1001
    path.write_bytes(magic + b"\x80\2]" + b"K\1a" * 500_000 + b".")
    begin = time.process_time()
    with pytest.raises(UserError, match="does not end"):
        open_checkpoint(path)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("letter", [b"a", b"\0", b"\xc3\xa9"])
def test_names_that_do_not_end(tmp_path: Path, zipped: bool, letter: bytes) -> None:
    """PyTorch searches its own error messages, in a time that grows with their square."""
    path = tmp_path / "x.pth"
    torch.save(tensors(), path, _use_new_zipfile_serialization=zipped)
    long = letter * 300_000
    if zipped:
        held = zipfile.ZipFile(path)
        names = {name: held.read(name) for name in held.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in names.items():
                archive.writestr(name, data.replace(b"_rebuild_tensor_v2", long, 1))
    else:
        path.write_bytes(path.read_bytes().replace(b"_rebuild_tensor_v2", long, 1))
    begin = time.process_time()
    with pytest.raises(UserError, match="does not end"):
        open_checkpoint(path)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("how", ["cut", "over"])
@pytest.mark.parametrize("kind", ["own", "timm", "google", "pth"])
def test_a_file_that_changes_does_not_change_the_model(
    make: Any, tmp_path: Path, kind: str, how: str
) -> None:
    model, path = make(activation="gelu_tanh"), tmp_path / "x.safetensors"
    if kind == "own":
        vitreous.save(model, path)
    elif kind == "pth":
        convert(make(activation="gelu"), path, "timm")
        held = load_file(path)
        (tmp_path / "x.config.json").rename(tmp_path / "y.config.json")
        path = tmp_path / "y.pth"
        torch.save(held, path)
    else:
        path = path if kind == "timm" else tmp_path / "x.npz"
        convert(make(activation="gelu" if kind == "timm" else "gelu_tanh"), path, kind)
    loaded = vitreous.load(path)
    images = torch.randn(2, loaded.config.channels, *loaded.config.image_size)
    with torch.no_grad():
        before = loaded(images)
        if how == "cut":
            path.open("wb").close()
        else:
            with path.open("r+b") as file:
                file.write(os.urandom(path.stat().st_size))
        assert torch.equal(loaded(images), before)


CLAIMS: dict[str, Any] = {
    "depth": {"depth": 10**9},
    "depth of true": {"depth": True},
    "width": {"width": 2**62, "heads": 2},
    "mlp": {"mlp_width": 10**18},
    "channels": {"channels": 10**18},
    "registers": {"registers": 10**18},
    "classes": {"num_classes": 10**12},
    "patch": {"patch": 10**9, "image_size": [10**9, 10**9]},
    "image": {"image_size": [10**9 * 8, 10**9 * 8]},
}


@pytest.fixture
def rewritten(make: Any, tmp_path: Path) -> Any:
    """Writes a small model whose passport is changed first."""

    def write(change: Any) -> Path:
        path, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
        vitreous.save(make(), path)
        with safe_open(path, "pt") as archive:
            passport = json.loads(archive.metadata()["vitreous"])
        change(passport)
        save_file(load_file(path), out, metadata={"vitreous": json.dumps(passport)})
        return out

    return write


@pytest.mark.parametrize("claim", CLAIMS)
def test_architectures_that_the_file_cannot_hold(rewritten: Any, claim: str) -> None:
    path = rewritten(lambda passport: passport["architecture"].update(CLAIMS[claim]))
    with pytest.raises(UserError, match=r"b\.safetensors"):
        vitreous.load(path)


PREPROCESSINGS: dict[str, Any] = {
    "size": {"size": [100_000, 100_000]},
    "another's size": {"size": [2048, 2048]},
    "size of words": {"size": ["8", "8"]},
    "crop": {"fit": "crop", "crop_fraction": 5e-324},
    "crop of words": {"crop_fraction": "half"},
    "mean of words": {"mean": "abc"},
    "mean of nothing": {"mean": [None, None, None]},
    "huge mean": {"mean": [10**400, 0, 0]},
    "deviation": {"std": [0, 1, 1]},
    "channels": {"channels": 2**40},
}


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_preprocessings_that_nobody_can_apply(rewritten: Any, name: str) -> None:
    path = rewritten(lambda passport: passport["preprocessing"].update(PREPROCESSINGS[name]))
    with pytest.raises(UserError, match=r"b\.safetensors"):
        vitreous.load(path)


@pytest.mark.parametrize(
    "field",
    [
        {"canary": [float("nan")] * 3},
        {"canary": [10**400] * 3},
        {"canary": ["a"]},
        {"canary_features": [float("inf")]},
        {"class_names": [0, 1, 2]},
        {"class_names": 5},
        {"origin": 5},
    ],
)
def test_passports_of_other_values(rewritten: Any, field: dict[str, Any]) -> None:
    path = rewritten(lambda passport: passport.update(field))
    with pytest.raises(UserError, match=r"b\.safetensors"):
        vitreous.load(path)


def test_a_passport_names_no_file_to_be_read(rewritten: Any, tmp_path: Path) -> None:
    """Only files that this process has read are digested; any other may be somebody's secret."""
    other = tmp_path / "other"
    other.write_bytes(b"secret")
    origin = {"file": str(other), "family": "timm", "bytes": 6}
    model = vitreous.load(rewritten(lambda passport: passport.update(origin=origin)))
    vitreous.save(model, tmp_path / "c.safetensors")
    assert "sha256" not in vitreous.load(tmp_path / "c.safetensors").passport.origin
