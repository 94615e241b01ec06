"""`vitreous data check` and `vitreous data duplicates`, and the lists that training takes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.cli.data import COMMANDS
from vitreous.cli.main import main

QUICK = ["--steps", "2", "--batch_size", "8", "--model.depth", "1", "--model.width", "12"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes in train and test; one test image is a mirrored copy of a training image."""
    root = tmp_path_factory.mktemp("data") / "photos"
    draw = np.random.default_rng(0)
    for part, count in (("train", 8), ("test", 3)):
        for name in ("cat", "dog"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                blobs = Image.fromarray(draw.integers(0, 256, (9, 11, 3), dtype=np.uint8))
                picture = blobs.resize((110, 90), Image.Resampling.BICUBIC)
                picture.save(root / part / name / f"{number}.jpg")
    leaked = Image.open(root / "train" / "cat" / "3.jpg").resize((80, 70))
    leaked = leaked.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    leaked.save(root / "test" / "cat" / "leak.jpg", quality=50)
    return root


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", str(photos), "--out", str(run), *QUICK]) == 0
    return run


def test_the_heading_lists_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == main(["data", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name}" in out for name in COMMANDS)
    assert main(["data", "dupicates"]) == 2
    assert "did you mean duplicates?" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_verb_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["data", command, "--help"])
    assert not end.value.code
    assert f"usage: vitreous data {command}" in capsys.readouterr().out


def test_check(
    photos: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main(["data", "check", str(photos), "--out", str(page)]) == 0
    out = capsys.readouterr().out
    assert "mend: 1 pair of duplicates across parts" in out
    assert "train/cat/3.jpg = test/cat/leak.jpg (train and test, mirrored" in out
    assert page.read_text().startswith("<!doctype html>")
    assert main(["data", "check", str(photos), "--strict", "--json", "-"]) == 1
    seen = json.loads(capsys.readouterr().out)
    assert seen["parts"] == {"train": 16, "test": 7}
    assert "suspects" not in seen
    assert main(["data", "check", str(photos), "--model", str(trained), "--json", "-"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out)["suspects"], list)
    assert main(["data", "check", str(photos), "--out", str(page)]) == 2
    assert "exists: choose another" in capsys.readouterr().err


def test_grey_photographs_are_doubted_by_a_colour_model(
    photos: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same images without colour."""
    for file in photos.glob("train/*/*.jpg"):
        own = tmp_path / file.parent.name / file.name
        own.parent.mkdir(exist_ok=True)
        Image.open(file).convert("L").save(own)
    assert main(["data", "check", str(tmp_path), "--model", str(trained), "--json", "-"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out)["suspects"], list)
    assert main(["probe", str(trained), str(tmp_path), "--neighbours", "1", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["train_images"] == 12


def test_a_list_from_duplicates_to_training_and_measuring(
    photos: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaks = str(tmp_path / "leaks.tsv")
    assert main(["data", "duplicates", str(photos), "--out", leaks, "--json", "-"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert (pair["name"], pair["like"]) == ("train/cat/3.jpg", "test/cat/leak.jpg")

    run = tmp_path / "clean"
    begin = ["train", str(photos), "--out", str(run), *QUICK, "--exclude", leaks]
    assert main([*begin, "--json", str(tmp_path / "report.json")]) == 0
    err = capsys.readouterr().err
    assert "excluded: 1 images that" in err
    assert json.loads((run / "config.json").read_text())["excluded"] == ["train/cat/3.jpg"]
    assert json.loads((run / "report.json").read_text())["excluded"] == ["train/cat/3.jpg"]
    split = json.loads((run / "split.json").read_text())["parts"]
    assert not any("train/cat/3.jpg" in names for names in split.values())
    assert main(["train", str(photos), "--out", str(run), "--resume"]) == 0
    assert main([*begin, "--resume"]) == 0
    (tmp_path / "other").write_text("train/dog/1.jpg\n")
    capsys.readouterr()
    assert main([*begin[:-1], str(tmp_path / "other"), "--resume"]) == 2
    assert "resume without --exclude" in capsys.readouterr().err

    out = tmp_path / "measured"
    assert main(["evaluate", str(trained), "--exclude", leaks, "--out", str(out)]) == 0
    assert "of the 6 that are not in" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert report["num_images"] == 7
    assert report["without"]["num_images"] == 6
    assert report["without"]["excluded"] == ["test/cat/leak.jpg"]
    assert "Without the list" in (out / "report.html").read_text()


def test_two_sets_whose_names_are_the_same(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaks = tmp_path / "leaks.tsv"
    train, test = str(photos / "train"), str(photos / "test")
    assert main(["data", "duplicates", train, test, "--out", str(leaks)]) == 0
    out = capsys.readouterr().out
    assert "1 pairs of 1 images to spare" in out
    assert leaks.read_text().splitlines()[1].startswith("cat/3.jpg\tcat/leak.jpg\t")
    assert main(["data", "duplicates", test, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data", "check", "nowhere"], "nowhere: no such file or folder"),
        (["data", "duplicates", "nowhere"], "nowhere: no such file or folder"),
        (["data", "duplicates", "digits", "--similarity", "2"], "--similarity is 2.0"),
        (["data", "check", "digits", "--model", "nowhere"], "nowhere"),
        (["train", "digits", "--out", "OUT", "--exclude", "nowhere"], "nowhere: not a list"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [str(tmp_path / "run") if word == "OUT" else word for word in arguments]
    assert main(where) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.strip().splitlines()) == 1
