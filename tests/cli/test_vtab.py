"""`vitreous vtab`, from the command line to the table."""

import json
from pathlib import Path

import pytest

import vitreous
from small_sets import write_sets
from vitreous.cli.main import main
from vitreous.evaluate.vtab_tasks import TASKS

TINY = {"image_size": (8, 8), "patch": 4, "width": 16, "depth": 1, "mlp_width": 16, "heads": 2}


@pytest.fixture
def model(tmp_path: Path) -> str:
    network = vitreous.create_model(vitreous.ViTConfig(num_classes=0, channels=3, **TINY))
    vitreous.save(network, tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


@pytest.fixture
def sets(tmp_path: Path) -> str:
    return str(write_sets(tmp_path / "sets"))


def test_what_is_there_is_scored(model: str, sets: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vtab", model, "--data", sets, "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [row["task"] for row in results["tasks"]] == ["SVHN", "EuroSAT", "dSpr-Loc"]
    assert [row["group"] for row in results["groups"]] == [
        "natural", "specialized", "structured", "all",
    ]  # fmt: skip
    for row in results["tasks"]:
        low, high = row["accuracy_interval"]
        assert low < row["accuracy"] < high
        assert row["num_images"] == 100
    assert results["tasks"][0]["accuracy"] > 0.3, "grey digits, through a model of three channels"
    assert len(results["missing"]) == 16
    assert main(["vtab", model, "--data", sets, "--tasks", "svhn,dtd", "--images", "20"]) == 0
    told = capsys.readouterr().out
    assert "natural, 1 of 7" in told
    assert "20 of 100 test images" in told
    assert "https://www.robots.ox.ac.uk/~vgg/data/dtd/" in told


def test_a_broken_set_does_not_stop_the_others(
    model: str, sets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(sets, "kitti").mkdir()
    assert main(["vtab", model, "--data", sets, "--tasks", "svhn,kitti", "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert len(results["tasks"]) == 1
    assert results["failed"][0]["task"] == "KITTI-Dist"
    assert "no images in it" in results["failed"][0]["reason"]


def test_unreadable_images_are_named(
    model: str, sets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train800", "test"):
        broken = sorted(Path(sets, "svhn", part).rglob("*.png"))[0]
        broken.write_bytes(b"not an image")
    command = ["vtab", model, "--data", sets, "--tasks", "svhn,eurosat"]
    assert main([*command, "--bad_limit", "0.02", "--json", "-"]) == 0
    for row in json.loads(capsys.readouterr().out)["tasks"]:
        assert row["num_images"] == 99
        assert [line.split(":")[0].split("/")[-1] for line in row["skipped"]] == [
            sorted(Path(sets, "svhn", part).rglob("*.png"))[0].name for part in ("train800", "test")
        ]
    assert main([*command, "--bad_limit", "0.02"]) == 0
    told = capsys.readouterr().out
    assert "SVHN: 2 unreadable left out: " in told
    assert "EuroSAT: 2 unreadable left out: " in told


def test_finetuning_resumes_and_leaves_runs(
    model: str, sets: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["vtab", model, "--data", sets, "--tasks", "svhn,dsprites_loc", "--method"]
    command += ["finetune", "--out", str(tmp_path / "runs"), "--steps", "2", "--image_size", "8"]
    command += ["--precision", "bfloat16"]
    assert main([*command, "--json", "-"]) == 0
    first = json.loads(capsys.readouterr().out)
    config = json.loads((tmp_path / "runs" / "dsprites_loc" / "config.json").read_text())
    assert config["augmentation"]["flip"] == 0
    assert config["augmentation"]["window"] == 1
    assert config["steps"] == 2
    assert config["precision"] == "bfloat16"
    split = json.loads((tmp_path / "runs" / "svhn" / "split.json").read_text())
    assert {part: len(names) for part, names in split["parts"].items()} == {
        "train": 200, "test": 100,
    }  # fmt: skip
    written = (tmp_path / "runs" / "svhn" / "model.safetensors").stat().st_mtime_ns
    assert main([*command, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert (tmp_path / "runs" / "svhn" / "model.safetensors").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "which data? give --data SETS"),
        (["--data", "nowhere"], "no such folder"),
        (["--tasks", "mnist=digits"], "no task 'mnist' in VTAB"),
        (["--tasks", "kitti=digits"], "has 10 classes and KITTI-Dist has 4"),
        (["--tasks", "svhn=digits", "--method", "magic"], "choose linear or finetune"),
        (["--tasks", "svhn=digits", "--method", "finetune"], "give --out RUNS"),
        (["--tasks", "svhn=digits", "--steps", "3"], "is of --method finetune"),
        (
            ["--tasks", "svhn=digits", "--method", "finetune", "--out", "o", "--batch_size", "9"],
            "--batch_size is of --method linear",
        ),
        (["--tasks", "svhn=digits", "--images", "0"], "give at least 1"),
    ],
)
def test_a_mistake_is_one_line(
    model: str, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vtab", model, *options]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_none_of_the_sets(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing and its homes, then one line of error; nothing where JSON would go."""
    (tmp_path / "empty").mkdir()
    asked = ["vtab", model, "--data", str(tmp_path / "empty"), "--json", "-"]
    assert main(asked) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "missing, 19 of 19" in err
    for task in TASKS:
        assert task.folder in err
        assert task.home in err
    assert err.splitlines()[-1].endswith("none of the sets is there: get those listed above")
    assert main([*asked, "--tasks", "dtd,svhn"]) == 2
    err = capsys.readouterr().err
    assert "missing, 2 of 19" in err
    assert "eurosat" not in err


def test_help_tells_where_the_sets_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["vtab", "--help"])
    told = capsys.readouterr().out
    for task in TASKS:
        assert task.home in told
