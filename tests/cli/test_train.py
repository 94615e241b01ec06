import json
import os

import numpy as np
import pytest
from PIL import Image

from vitreous.cli.main import main
from vitreous.parallel import environment
from vitreous.parallel.collect import ToldElsewhereError

TINY = [
    *("--model.width", "16", "--model.depth", "1", "--model.heads", "2"),
    *("--model.mlp_width", "16", "--steps", "3", "--precision", "float32"),
]


def test_recipes_are_listed(capsys):
    for arguments in (["--list-recipes"], ["--recipe", "help"]):
        assert main(["train", *arguments]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert any(line.startswith("finetune ") for line in lines)
        assert all(len(line) <= 120 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give DATA"),
        (["digits"], "give --out RUN"),
        (["digits", "--dry-run", "--sweep", "seed=1,2"], "leave one of them out"),
        (["digits", "--out", "run", "--verify-resume", "--sweep", "seed=1,2"], "leave --sweep out"),
        (["digits", "--verify-resume", "--dry-run"], "leave --dry-run out"),
        (["digits", "--out", "run", "--verify-resume", "--resume"], "leave --resume out"),
        (["digits", "--out", "run", "--tuning.train", "lora"], "give --weights"),
        (["digits", "--out", "run", "--schedule.shape", "drops"], "give drops"),
        (["digits", "--out", "run", "--schedule.warmup", "1"], "would never come down"),
        (["digits", "--out", "run", "--epochs", "2", "--steps", "9"], "give one of them"),
        (["digits", "--out", "run", "--recipe", "bit-transfer"], "starts from weights"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_a_dry_run_prints_the_plan_and_writes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits", "--dry-run", *TINY]) == 0
    told = capsys.readouterr().out
    assert "3 steps of 64 images" in told
    assert "█" in told
    assert "nothing was written" in told
    (accuracy,) = [line for line in told.splitlines() if line.startswith("accuracy")]
    assert "not measured for this run; digits, 1,437 images: 98.6 to 99.7 %" in accuracy
    assert "epochs" in accuracy.partition("here")[2]
    assert main(["train", "digits", "--dry-run", "--json", "-", *TINY]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["config"]["steps"] == 3
    assert plan["expected"]["measured"]["source"] == "benchmarks/training.md"
    assert os.listdir(tmp_path) == []


def test_images_of_one_class_are_for_recipes_without_labels(capsys, tmp_path):
    """The recipe says that labels are not read, or the begun run does; no option need."""
    photos = tmp_path / "photos" / "all"
    photos.mkdir(parents=True)
    for number in range(8):
        Image.new("RGB", (20, 20), (30 * number, 99, 200)).save(photos / f"{number}.png")
    line = ["train", str(photos.parent), "--out", str(tmp_path / "run")]
    assert main(line) == 2
    assert "no class folders in it" in capsys.readouterr().err
    small = ["--model.patch", "8", "--model.image_size", "16", "--batch_size", "4"]
    recipe = ["--recipe", "paper-masked-patch", "--preprocessing.size", "16"]
    assert main([*line, *recipe, *TINY, *small]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["objective"]["kind"] == "masked_patch"
    capsys.readouterr()
    assert main([*line, "--resume"]) == 0
    assert "no class folders" not in capsys.readouterr().err


def test_a_sweep_from_the_command_line(capsys, tmp_path):
    out = tmp_path / "run"
    line = ["train", "digits", *TINY, "--out", str(out), "--sweep", "learning_rate=1e-4,1e-2"]
    assert main(line) == 0
    assert "test: accuracy" in capsys.readouterr().out
    assert len(json.loads((out / "sweep.json").read_text())["runs"]) == 2
    assert main(line) == 2
    assert "holds a sweep" in capsys.readouterr().err


def test_resumed_as_something_else_it_is_refused(capsys, tmp_path):
    line = ["train", "digits", *TINY, "--out", str(tmp_path / "run")]
    assert main(line) == 0
    capsys.readouterr()
    for option, value in (
        ("--model", "ViT-B/16"),
        ("--model.patch", "8"),
        ("--objective", "mae"),
        ("--batch_size", "7"),
    ):
        assert main([*line, "--resume", option, value]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "the run was begun with" in told


def test_processes_meet_on_the_device_that_the_run_was_begun_on(capsys, tmp_path, monkeypatch):
    """Where there are fewer GPUs than processes, a run on the CPU goes on without a word of it."""
    line = ["train", "digits", *TINY, "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main(line) == 0
    asked = []

    def note(device):
        asked.append(device)
        raise ToldElsewhereError

    monkeypatch.setattr(environment, "process_group", note)
    run = ["train", "digits", "--out", str(tmp_path / "run")]
    for more in ([], ["--resume"], ["--resume", "--device", "cuda:1"]):
        assert main([*run, *more]) == 2
    assert main(["train", "digits", "--out", str(tmp_path / "none"), "--resume"]) == 2
    assert asked == ["auto", "cpu", "cuda:1", "auto"]


def test_torchrun_is_not_for_programs_that_start_programs(capsys, tmp_path, monkeypatch):
    for name, value in (("TORCHELASTIC_RUN_ID", "none"), ("RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits", "--out", "run", "--verify-resume"]) == 2
    assert "leave torchrun out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_proof_is_of_the_run_that_was_asked_for(monkeypatch, capsys, tmp_path):
    """Objective, recipe and fields go along; the proof can be had as JSON."""
    from vitreous.train import verify

    asked = []

    def verify_resume(arguments, out, *, say):
        asked.append((arguments, out))
        return verify.Proof(((0.5, 3),), "a", "a")

    monkeypatch.setattr(verify, "verify_resume", verify_resume)
    out = str(tmp_path / "run")
    command = ["train", "digits", *TINY, "--out", out, "--verify-resume", "--json", "-"]
    assert main([*command, "--objective", "masked_patch", "--recipe", "scratch"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"kills": [[0.5, 3]], "uninterrupted": "a", "resumed": "a", "equal": True}
    ((arguments, _),) = asked
    pairs = set(zip(arguments[1::2], arguments[2::2], strict=True))
    assert {("--objective", "masked_patch"), ("--recipe", "scratch"), ("--steps", "3")} <= pairs


@pytest.mark.parametrize("channels", [2, 5])
def test_images_of_any_number_of_channels_train_to_the_end(channels, tmp_path):
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (40, 16, 16, channels)).astype(np.uint8)
    np.savez(tmp_path / "bands.npz", x=pixels, y=np.arange(40) % 2)
    out = tmp_path / "run"
    assert main(["train", str(tmp_path / "bands.npz"), *TINY, "--out", str(out)]) == 0
    assert (out / "report.html").read_text().count("<img") > 4
