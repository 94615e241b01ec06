import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert

NAMES = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


@pytest.fixture
def sharded(make, tmp_path: Path) -> Path:
    """A model of Hugging Face in two files and their index."""
    folder = tmp_path / "sharded"
    convert(make(activation="gelu"), folder, "huggingface")
    whole = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: NAMES[number % 2] for number, name in enumerate(sorted(whole))}
    for shard in NAMES:
        save_file({n: t for n, t in whole.items() if places[n] == shard}, folder / shard)
    write_index(folder, places)
    return folder


def write_index(folder: Path, places: object) -> None:
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def read_index(folder: Path) -> dict[str, str]:
    return json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]


def test_two_files_are_one_model(make, sharded: Path) -> None:
    model = vitreous.load(sharded)
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(model(images), make(activation="gelu")(images))
    origin = model.passport.origin
    assert (origin["family"], origin["shards"]) == ("huggingface", list(NAMES))
    files = [sharded / "model.safetensors.index.json", *(sharded / name for name in NAMES)]
    content = b"".join(file.read_bytes() for file in files)
    assert origin["sha256"] == hashlib.sha256(content).hexdigest()
    assert origin["bytes"] == len(content)


def test_the_index_itself_may_be_named(sharded: Path) -> None:
    assert vitreous.load(sharded / "model.safetensors.index.json").config.num_classes == 5


def test_a_missing_shard_is_named(sharded: Path) -> None:
    (sharded / NAMES[1]).unlink()
    with pytest.raises(UserError, match=f"names {NAMES[1]}, which is not in its folder"):
        vitreous.load(sharded)


def test_an_index_cannot_lead_outside(sharded: Path) -> None:
    (sharded / NAMES[1]).rename(sharded.parent / NAMES[1])
    places = read_index(sharded)
    write_index(sharded, {n: p.replace(NAMES[1], f"../{NAMES[1]}") for n, p in places.items()})
    with pytest.raises(UserError, match="not in its folder"):
        vitreous.load(sharded)


def test_an_index_that_is_wrong(sharded: Path) -> None:
    places = read_index(sharded)
    swapped = next(iter(places))
    other = NAMES[0] if places[swapped] == NAMES[1] else NAMES[1]
    write_index(sharded, places | {swapped: other})
    with pytest.raises(UserError, match=f"disagree on where {swapped} is"):
        vitreous.load(sharded)


@pytest.mark.parametrize("places", [None, [], {"a": 3}])
def test_an_index_without_a_map(sharded: Path, places: object) -> None:
    write_index(sharded, places)
    with pytest.raises(UserError, match="no weight_map"):
        vitreous.load(sharded)
