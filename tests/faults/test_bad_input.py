"""Every mistake of a user's: one line that names the thing and the fix, exit code 2, no damage."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.cli.main import main

QUICK = ["--steps", "2", "--batch_size", "8", "--model.depth", "1", "--model.width", "12"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on digits."""
    run = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", "digits", "--out", str(run), *QUICK]) == 0
    return run


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """Makes class folders of random pictures: counts by class."""

    def make(**counts: int) -> Path:
        draw = np.random.default_rng(0)
        for name, count in counts.items():
            folder = tmp_path / "photos" / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
        (tmp_path / "photos").mkdir(exist_ok=True)
        return tmp_path / "photos"

    return make


@pytest.fixture
def refuse(capsys: pytest.CaptureFixture[str]) -> Callable[[Iterable[object]], str]:
    """Runs a command that must be refused; gives its one line."""

    def run(arguments: Iterable[object]) -> str:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse leaves this way
            code = exit_.code
        out, err = capsys.readouterr()
        *progress, line = err.splitlines()
        assert code == 2, (out, err)
        assert out == ""
        assert line.startswith("vitreous")
        assert not any(said.startswith(("vitreous", "Traceback", "  File")) for said in progress)
        return line

    return run


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_missing_data_names_what_is_near(refuse, photos, tmp_path):
    data = photos(cat=3, dog=3)
    line = refuse(["train", data.with_name("photo"), "--out", tmp_path / "run"])
    assert "photos" in line
    assert not (tmp_path / "run").exists()


def test_empty_folder(refuse, photos, tmp_path):
    line = refuse(["train", photos(), "--out", tmp_path / "run"])
    assert "folder of its own" in line


def test_one_class_only(refuse, photos, tmp_path):
    line = refuse(["train", photos(cat=5), "--out", tmp_path / "run"])
    assert "cat" in line
    assert "two" in line


def test_a_class_with_one_image(refuse, photos, tmp_path):
    line = refuse(["train", photos(cat=5, dog=1), "--out", tmp_path / "run"])
    assert "dog" in line
    assert not (tmp_path / "run").exists()


def test_unreadable_images_over_the_limit(refuse, photos, tmp_path):
    data = photos(cat=10, dog=10)
    for name in ("cat/1.png", "cat/2.png", "cat/3.png", "dog/4.png"):
        (data / name).write_bytes(b"not an image")
    line = refuse(["train", data, "--out", tmp_path / "run", *QUICK, "--steps", "8"])
    assert "bad_limit" in line
    assert any(name in line for name in ("cat/1.png", "cat/2.png", "cat/3.png", "dog/4.png"))


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_run_stopped_by_bad_images_goes_on_with_a_higher_limit(refuse, photos, tmp_path, part):
    data = photos(**{"train/cat": 12, "train/dog": 12, "test/cat": 8, "test/dog": 8})
    for name in ("cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png"):
        (data / part / name).write_bytes(b"not an image")
    command = ["train", data, "--out", tmp_path / "run", *QUICK, "--steps", "8"]
    assert "raise bad_limit (a run goes on with --resume)" in refuse(command)
    assert "cannot be read" in refuse([*command, "--resume"])
    again = [*command, "--resume", "--bad_limit", "0.5"]
    assert main([str(word) for word in again]) == 0
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_a_few_unreadable_images_are_named_and_counted(photos, tmp_path, capsys):
    data = photos(cat=10, dog=10)
    for name in ("cat/1.png", "dog/4.png"):
        (data / name).write_bytes(b"not an image")
    run = tmp_path / "run"
    assert main(["train", str(data), "--out", str(run), *QUICK, "--bad_limit", "0.5"]) == 0
    capsys.readouterr()
    everything = main(["evaluate", str(run), str(data), "--part", "train", "--bad_limit", "0.5"])
    assert everything == 0
    assert "unreadable left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "ViT-Q/16"], "unknown model 'ViT-Q/16'"),
        (["--model", "resnet51"], "nearest"),
        (["--recipe", "scrach"], "did you mean scratch?"),
        (["--recipe", "finetune"], "--weights"),
        (["--weights", "nowhere.safetensors"], "no such model"),
        (["--model.image_size", "30"], "28 or 32 would work"),
        (["--model.image_size", "big"], "model.image_size"),
        (["--optimizer.learning_rate", "fast"], "a number"),
        (["--optimiser.learning_rate", "1"], "--optimizer.learning_rate"),
        (["--epoch", "3"], "did you mean --epochs?"),
        (["--model.num_classes", "7"], "10 classes"),
        (["--device", "abacus"], "abacus"),
        (["--precision", "int3"], "int3"),
        (["--batch_size", "0"], "batch_size"),
        (["--epochs", "2", "--steps", "1000"], "disagree"),
    ],
)
def test_options_that_cannot_be(refuse, tmp_path, options, words):
    line = refuse(["train", "digits", "--out", tmp_path / "run", *options])
    assert words in line
    assert not (tmp_path / "run").exists()


def test_weights_bring_their_own_model(refuse, trained, tmp_path):
    line = refuse(
        ["train", "digits", "--out", tmp_path / "r", "--weights", trained, "--model", "B/16"]
    )
    assert "leave --model out" in line


def test_data_of_other_channels(refuse, trained, tmp_path):
    data = tmp_path / "colours.npz"
    np.savez(data, x=np.zeros((10, 8, 8, 3), np.uint8), y=np.arange(10))
    assert "data has 3 channels" in refuse(["evaluate", trained, data])
    assert "data has 3 channels" in refuse(
        ["embed", trained, data, "--out", tmp_path / "f.parquet"]
    )
    assert not (tmp_path / "f.parquet").exists()


def test_photographs_are_read_in_the_channels_of_the_model(trained, photos, tmp_path, capsys):
    data = photos(**{"0": 3, "1": 3})
    assert main(["evaluate", str(trained), str(data), "--out", str(tmp_path / "report")]) == 0
    assert main(["embed", str(trained), str(data), "--out", str(tmp_path / "f.parquet")]) == 0
    assert (tmp_path / "report/report.html").is_file()


def test_a_run_is_never_overwritten(refuse, trained):
    before = fingerprint(trained)
    assert "finished run" in refuse(["train", "digits", "--out", trained, *QUICK])
    assert "finished run" in refuse(["train", "digits", "--out", trained, "--seed", "3"])
    line = refuse(["train", "digits", "--out", trained, "--resume", "--seed", "3"])
    assert "begun with seed 0 and is now asked for 3" in line
    other = refuse(["train", "digits", "--out", trained, "--resume", "--recipe", "finetune"])
    assert "begun with recipe 'scratch'" in other
    assert fingerprint(trained) == before


def test_a_folder_of_other_things_is_left_alone(refuse, tmp_path):
    (tmp_path / "thesis.txt").write_text("chapter one")
    before = fingerprint(tmp_path)
    assert "no run folder" in refuse(["train", "digits", "--out", tmp_path])
    assert "no run folder" in refuse(["train", "digits", "--out", tmp_path / "thesis.txt"])
    assert fingerprint(tmp_path) == before


def test_a_damaged_config_is_named(refuse, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "config.json").write_text('{"recipe": ')
    assert "config.json" in refuse(["train", "digits", "--out", run, "--resume"])


def test_a_checkpoint_of_other_classes_names_both_sets(refuse, trained, tmp_path):
    x = np.zeros((12, 8, 8), np.uint8)
    y = np.arange(12) % 3
    np.savez(tmp_path / "cards.npz", x=x, y=y, class_names=np.array(["ace", "king", "queen"]))
    line = refuse(["evaluate", trained, tmp_path / "cards.npz"])
    assert "10 classes (0, 1, 2" in line
    assert "3 classes (ace, king, queen)" in line


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_damaged_weights(refuse, trained, tmp_path, content):
    whole = (trained / "model.safetensors").read_bytes()
    path = tmp_path / "model.safetensors"
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert str(path) in refuse(["predict", path, tmp_path])


def test_predict_without_images(refuse, trained, tmp_path):
    assert "no images" in refuse(["predict", trained, tmp_path])
    assert "no such image" in refuse(["predict", trained, tmp_path / "a.png"])
    assert "give at least 1" in refuse(["predict", trained, tmp_path, "--top", "0"])


def test_predict_leaves_out_what_is_hidden_and_no_file(trained, photos, capsys):
    root = photos(a=1)
    (root / "a/._0.png").write_bytes(b"of macOS")
    (root / ".trash").mkdir()
    (root / ".trash/1.png").write_bytes(b"gone")
    os.mkfifo(root / "a/pipe.png")
    assert main(["predict", str(trained), str(root)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("place", ["", ".", "/"])
def test_json_of_a_folder_is_refused_before_the_work(refuse, place):
    assert "is no file: give one" in refuse(["evaluate", "no such model", "--json", place])


def test_predict_goes_on_past_a_bad_image_and_says_so(trained, tmp_path, capsys):
    Image.new("L", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("text")
    assert main(["predict", str(trained), str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "good.png" in out
    assert "bad.png" in err
    assert "Traceback" not in err


def test_evaluate_refuses(refuse, trained, tmp_path):
    assert "has no part 'holdout'" in refuse(["evaluate", trained, "--part", "holdout"])
    shutil.copy(trained / "model.safetensors", tmp_path)
    assert "which data?" in refuse(["evaluate", tmp_path / "model.safetensors"])
    (tmp_path / "report.json").write_text("{}")
    line = refuse(["evaluate", trained, "--out", tmp_path])
    assert "holds a report already" in line
    assert (tmp_path / "report.json").read_text() == "{}"


def test_compare_refuses(refuse, trained, tmp_path):
    assert "two or more" in refuse(["compare", trained])
    assert "no report.json" in refuse(["compare", trained, tmp_path])
    assert "twice" in refuse(["compare", trained, trained])


def test_compare_refuses_runs_without_classes(refuse, trained, tmp_path):
    (tmp_path / "report.json").write_text('{"objective": "masked_patch", "loss": 1.0}')
    line = refuse(["compare", trained, tmp_path])
    assert f"{tmp_path} learnt without labels" in line


def test_compare_keeps_json_clean_and_looks_for_the_page_first(trained, refuse, tmp_path, capsys):
    other, page = tmp_path / "other", tmp_path / "page.html"
    shutil.copytree(trained, other)
    words = ["compare", str(trained), str(other), "--json", "-", "--out", str(page)]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)[0]["name"] == "accuracy"
    assert f"the page is {page}" in err
    assert "exists: choose another" in refuse(words)


def test_an_unknown_verb_names_the_nearest(refuse):
    assert "did you mean train?" in refuse(["trian"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a disk of its own size")
def test_a_full_disk_is_one_line(refuse, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=256k tmpfs {disk} 2>/dev/null"):
        pytest.skip("mounting is not allowed here")
    try:
        line = refuse(["train", "digits", "--out", disk / "run", "--steps", "2"])
    finally:
        os.system(f"umount -l {disk}")
    assert "no space left on the disk" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(refuse, tmp_path):
    tmp_path.chmod(0o500)
    assert "can be written" in refuse(["train", "digits", "--out", tmp_path / "run", *QUICK])


def test_several_labels_are_no_measure_of_a_model_of_one(photos, trained, refuse):
    folder = photos(cat=4)
    rows = "".join(f"cat/{number}.png,a;b\n" for number in range(4))
    (folder / "t.csv").write_text("path,labels\n" + rows)
    told = refuse(["evaluate", trained, folder / "t.csv"])
    assert "an image may have several labels there, and" in told
