import argparse
import io
import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert
from vitreous.weights.npz import write_npz
from vitreous.weights.read import open_checkpoint, weights_file


class Bomb:
    """Unpickling it would make a folder."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "code-was-run"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pth_with_code_is_refused_and_not_run(tmp_path: Path, trace: Path, zipped: bool) -> None:
    file = tmp_path / "model.pth"
    content = {"model": {"w": torch.zeros(2)}, "extra": Bomb(trace)}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"would run code.*state_dict\(\)"):
        vitreous.load(file)
    assert not trace.exists()


def test_an_npz_with_objects_is_refused_and_not_run(tmp_path: Path, trace: Path) -> None:
    file = tmp_path / "model.npz"
    objects = np.empty(1, dtype=object)
    objects[0] = Bomb(trace)
    np.savez(file, good=np.zeros(3, np.float32), bad=objects)
    with pytest.raises(UserError, match="bad holds Python objects"):
        vitreous.load(file)
    assert not trace.exists()


def test_a_pickle_by_any_name_is_refused(tmp_path: Path, trace: Path) -> None:
    file = tmp_path / "model.safetensors"
    torch.save(Bomb(trace), file, _use_new_zipfile_serialization=False)
    with pytest.raises(UserError):
        vitreous.load(file)
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["npz", "safetensors", "pth"])
def test_a_file_cut_anywhere_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / f"whole.{kind}"
    write(whole, {"a": torch.randn(40, 50), "b": torch.randn(7)})
    content = whole.read_bytes()
    for length in [0, 1, 9, 30, len(content) // 2, len(content) - 1]:
        cut = tmp_path / f"cut.{kind}"
        cut.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"cut\.") as caught:
            vitreous.load(cut)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["npz", "safetensors", "pth"])
def test_reads_every_container_by_content(tmp_path: Path, kind: str) -> None:
    tensors = {"a": torch.randn(4, 5), "b/c": torch.randn(7)}
    write(tmp_path / f"x.{kind}", tensors)
    (tmp_path / f"x.{kind}").rename(tmp_path / "unnamed")
    checkpoint = open_checkpoint(tmp_path / "unnamed")
    assert checkpoint.shapes == {"a": (4, 5), "b/c": (7,)}
    for name, tensor in tensors.items():
        assert torch.equal(checkpoint.tensor(name), tensor)


def test_npz_compressed_column_major_big_endian_and_bfloat16(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    half = torch.from_numpy(values).bfloat16()
    np.savez_compressed(
        tmp_path / "x.npz",
        packed=values,
        column=np.asfortranarray(values),
        big=values.astype(">f4"),
        half=half.view(torch.int16).numpy().view("V2"),
    )
    checkpoint = open_checkpoint(tmp_path / "x.npz")
    for name in checkpoint.shapes:
        assert torch.equal(checkpoint.tensor(name), torch.from_numpy(values)), name


@pytest.mark.parametrize("kind", ["npz", "safetensors", "pth"])
def test_flipped_bytes_never_crash(tmp_path: Path, kind: str) -> None:
    whole, file = tmp_path / f"whole.{kind}", tmp_path / f"x.{kind}"
    write(whole, {"a": torch.randn(3, 5), "b": torch.randn(7)})
    content, chance = whole.read_bytes(), random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 3, 10])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        file.write_bytes(damaged)
        with pytest.raises(UserError) as caught:  # at best, a family that nobody knows
            vitreous.load(file)
        assert "\n" not in str(caught.value)


def test_npz_that_promises_more_than_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "x.npz"
    np.savez(file, a=np.zeros((2, 3), np.float32))
    file.write_bytes(file.read_bytes().replace(b"(2, 3)", b"(9, 9)"))
    with pytest.raises(UserError):
        open_checkpoint(file)


def test_training_scripts_wrappings_are_taken_off(tmp_path: Path) -> None:
    file = tmp_path / "x.pth"
    state = {"module.a": torch.ones(2), "module.b": torch.zeros(1)}
    torch.save({"model": state, "args": argparse.Namespace(lr=0.1), "epoch": 3}, file)
    checkpoint = open_checkpoint(file)
    assert checkpoint.shapes == {"a": (2,), "b": (1,)}
    assert checkpoint.wrapper == "model"


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {}, {"a": 3}, {"a": {"b": 1}}])
def test_a_pth_without_a_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"x\.pth"):
        open_checkpoint(tmp_path / "x.pth")


def test_neither_of_the_formats(tmp_path: Path) -> None:
    file = tmp_path / "x.npz"
    for content in (b"GIF89a" + bytes(30), struct.pack("<Q", 1 << 40) + b"{" + bytes(30)):
        file.write_bytes(content)
        with pytest.raises(UserError, match="damaged one"):
            open_checkpoint(file)


def test_integers_and_nan_are_refused(tmp_path: Path) -> None:
    save_file({"n": torch.ones(3, dtype=torch.int64)}, tmp_path / "i.safetensors")
    with pytest.raises(UserError, match="tensor n holds torch.int64"):
        open_checkpoint(tmp_path / "i.safetensors").tensor("n")
    for bad in (float("nan"), float("inf")):
        save_file({"w": torch.tensor([1.0, bad])}, tmp_path / "f.safetensors")
        with pytest.raises(UserError, match="tensor w holds numbers that are not finite"):
            open_checkpoint(tmp_path / "f.safetensors").tensor("w")
    large = torch.full((4,), 3e38)  # finite, though its sum is not
    save_file({"w": large}, tmp_path / "f.safetensors")
    assert torch.equal(open_checkpoint(tmp_path / "f.safetensors").tensor("w"), large)


def test_the_one_weights_file_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        weights_file(tmp_path)
    (tmp_path / "b.npz").touch()
    assert weights_file(tmp_path).name == "b.npz"
    (tmp_path / "a.pth").touch()
    with pytest.raises(UserError, match=r"a\.pth, b\.npz: give one"):
        weights_file(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert weights_file(tmp_path).name == "model.safetensors"
    with pytest.raises(UserError, match="no such model"):
        weights_file(tmp_path / "nowhere")


def test_a_config_that_is_no_json(tmp_path: Path) -> None:
    save_file({"w": torch.ones(3)}, tmp_path / "x.safetensors")
    for text in ("{", "[1]"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(UserError, match=r"config\.json"):
            open_checkpoint(tmp_path / "x.safetensors")


def write(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    match file.suffix:
        case ".npz":
            write_npz(file, iter(tensors.items()))
        case ".safetensors":
            save_file(tensors, file)
        case _:
            torch.save(tensors, file)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_files_that_may_not_be_read(make, tmp_path: Path, monkeypatch, name: str) -> None:
    convert(make(), tmp_path / "m", "timm")

    def refusing(open_any):
        def refuse(file, *rest, **options):
            if str(file).endswith(name):
                raise PermissionError(13, "Permission denied", str(file))
            return open_any(file, *rest, **options)

        return refuse

    for module in (io, os):
        monkeypatch.setattr(module, "open", refusing(module.open))
    with pytest.raises(UserError, match=f"cannot read .*{name}: Permission denied: make it"):
        vitreous.load(tmp_path / "m")
