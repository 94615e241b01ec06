"""The command line as a person and a machine meet it."""

import json
import subprocess
import sys
import time

import pytest

from vitreous import __version__
from vitreous.cli.main import VERBS, main

QUICK = ["--steps", "2", "--batch_size", "8", "--model.depth", "1", "--model.width", "12"]


def test_help_lists_every_verb(capsys):
    assert main([]) == main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vitreous {__version__}\n"


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_imports_nothing_heavy(verb):
    code = (
        "import sys\nfrom vitreous.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    arguments = [verb, "--help"] if verb else ["--help"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_train_evaluate_predict_compare(tmp_path, capsys):
    """The whole way of issue one, with JSON for machines at each station."""
    runs = [str(tmp_path / name) for name in ("one", "two")]
    for seed, run in enumerate(runs):
        code = main(["train", "digits", "--out", run, *QUICK, "--seed", str(seed), "--json", "-"])
        assert code == 0
        trained = json.loads(capsys.readouterr().out)
        assert trained["num_images"] == 360

    assert main(["evaluate", run, "--json", "-"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["accuracy"] == trained["accuracy"]
    assert measured["confusion"] == trained["confusion"]

    out = tmp_path / "elsewhere"
    assert main(["evaluate", run, "digits", "--part", "validation", "--out", str(out)]) == 0
    assert "287 images" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"report.json", "report.html"}

    from PIL import Image

    Image.new("RGB", (30, 20), (9, 9, 9)).save(tmp_path / "picture.png")
    picture = str(tmp_path / "picture.png")
    assert main(["predict", run, picture, "--top", "3", "--json", "-"]) == 0
    (predicted,) = json.loads(capsys.readouterr().out)
    assert predicted["name"] == picture
    assert len(predicted["classes"]) == 3

    page, table = tmp_path / "comparison.html", tmp_path / "comparison.json"
    assert main(["compare", *runs, "--out", str(page), "--json", str(table)]) == 0
    told = capsys.readouterr().out
    for words in ("precision of a class", "recall of a class", "F1 of a class", "training loss"):
        assert any(line.startswith(words) for line in told.splitlines()), words
    assert page.read_text().startswith("<!doctype html>")
    assert {row["kind"] for row in json.loads(table.read_text())} == {"overall", "class"}


def test_resume_needs_no_option_repeated(tmp_path, capsys):
    run = str(tmp_path / "run")
    assert main(["train", "digits", "--out", run, *QUICK]) == 0
    assert main(["train", "digits", "--out", run, "--resume"]) == 0
    assert "resumed at step 2 of 2" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error(tmp_path):
    process = subprocess.Popen(
        f"{sys.executable} -m vitreous --help | head -1", shell=True, stderr=subprocess.PIPE
    )
    assert process.communicate(timeout=60)[1] == b""


def test_ctrl_c_saves_and_resume_goes_on(tmp_path):
    """A real process, a real signal."""
    import signal

    run = tmp_path / "run"
    command = [sys.executable, "-m", "vitreous", "train", "digits", "--out", str(run)]
    options = ["--steps", "4000", "--batch_size", "8", "--model.depth", "1", "--log_every", "5"]
    process = subprocess.Popen(command + options, stderr=subprocess.PIPE, text=True)
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (metrics.exists() and metrics.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "go on with the same command and --resume" in err
    assert "Traceback" not in err
    assert list((run / "checkpoints").glob("step-*.safetensors"))
