r"""Names that are not UTF-8 (`caf\xe9.jpg` in Latin-1) go through every verb."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.data.open import open_dataset
from vitreous.data.sharding import write_shards

QUICK = ["--steps", "4", "--batch_size", "8", "--model.depth", "1", "--model.width", "12"]
LATIN = os.fsdecode(b"caf\xe9")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes, one of a name in Latin-1, of images of which one has such a name, one is bad."""
    draw = np.random.default_rng(0)
    for name in ("cat", LATIN):
        folder = tmp_path / "photos" / name
        try:
            folder.mkdir(parents=True)
        except OSError:
            pytest.skip("this file system takes names in UTF-8 only")
        for image in (LATIN, *"abcdefg"):
            pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{image}.png")
    (tmp_path / "photos" / LATIN / f"bad {LATIN}.png").write_bytes(b"no image")
    return tmp_path / "photos"


def vitreous(*words: object) -> str:
    """Run a verb in a process of its own, whose streams are real ones; gives its stdout."""
    ended = subprocess.run(
        [sys.executable, "-m", "vitreous", *map(str, words)],
        capture_output=True, text=True, errors="surrogateescape", timeout=300,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
    )  # fmt: skip
    assert ended.returncode in (0, 1), ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.stdout


def test_every_verb_bears_them(photos: Path, tmp_path: Path) -> None:
    run, small = tmp_path / "run", ["--model.image_size", "16,16", "--bad_limit", "0.5"]
    vitreous("train", photos, "--out", run, *QUICK, *small)
    split = json.loads((run / "split.json").read_text(encoding="utf-8"))
    assert LATIN in split["classes"]
    named = [name for names in split["parts"].values() for name in names]
    assert f"{LATIN}/{LATIN}.png" in named
    (run / "model.safetensors").unlink()
    vitreous("train", photos, "--out", run, "--resume")
    found = json.loads(vitreous("predict", run, photos / "cat", "--json", "-"))
    assert any(row["name"].endswith(f"{LATIN}.png") for row in found)
    assert r"caf\udce9" in vitreous("predict", run, photos / LATIN)
    report = vitreous("evaluate", run, "--json", "-", "--out", tmp_path / "report")
    assert LATIN in [row["name"] for row in json.loads(report)["classes"]]
    vitreous("data", "check", photos)


def test_shards_hold_them(photos: Path, tmp_path: Path) -> None:
    write_shards(open_dataset(photos), tmp_path / "shards")
    again = open_dataset(tmp_path / "shards")
    assert set(again.class_names) == {"cat", LATIN}
    assert f"{LATIN}/{LATIN}.png" in list(again.parts["train"].names)
