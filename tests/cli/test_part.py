"""Which images a verb measures: the run's own data is known however it is spelled."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.cli.main import main

QUICK = ["--steps", "2", "--batch_size", "8", "--model.depth", "1", "--model.width", "12"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos` and a `run` that was trained on `photos/`, and measured on 4."""
    here = tmp_path_factory.mktemp("here")
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (here / "photos" / name).mkdir(parents=True)
        for number in range(10):
            pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(here / "photos" / name / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        options = ["--validation_fraction", "0.2", "--model.image_size", "16,16"]
        assert main(["train", "photos/", "--out", "run", *QUICK, *options]) == 0
    return here


@pytest.mark.parametrize("model", ["run", "run/model.safetensors"])
@pytest.mark.parametrize("data", [None, "photos/", "photos", "./photos/", "ABSOLUTE", "link"])
def test_the_own_data_is_measured_by_its_split(here, data, model, monkeypatch, capsys):
    monkeypatch.chdir(here)
    if data == "link" and not (here / "link").exists():
        (here / "link").symlink_to("photos")
    typed = [] if data is None else [str(here / "photos") if data == "ABSOLUTE" else data]
    assert main(["evaluate", model, *typed, "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["part"], report["num_images"], report["run"]) == ("validation", 4, "run")


def test_a_folder_of_another_library_is_no_run(here, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(here)
    other = str(tmp_path / "timm")
    assert main(["convert", "run", other, "--to", "timm"]) == 0
    assert (tmp_path / "timm" / "config.json").is_file()
    capsys.readouterr()
    out = str(tmp_path / "explained")
    assert main(["evaluate", other, "photos", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["num_images"] == 20
    assert main(["explain", other, "photos", "--images", "4", "--out", out]) == 0
    assert main(["probe", other, "photos", "--neighbours", "1"]) == 0
    assert main(["evaluate", other]) == 2
    assert "give DATA after MODEL" in capsys.readouterr().err


def test_a_run_without_its_split_is_not_measured_whole(here, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(here)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((here / "run" / name).read_bytes())
    assert main(["evaluate", str(tmp_path), "photos"]) == 2
    assert "split.json cannot be read" in capsys.readouterr().err
