"""The verb as a person and a machine meet it."""

import json
from pathlib import Path

import pytest
import torch

from vitreous.cli.main import main
from vitreous.parallel.device import Engine

SMALL = ["ViT-Ti/32", "--image_size", "32", "--batch", "1", "--rounds", "1", "--threads", "1"]


def test_from_models_to_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And a second time, which measures nothing."""
    asked = ["bench", *SMALL, "--task", "inference", "--mode", "eager", "--precision", "float32"]
    asked += ["--subjects", "vitreous", "--out", str(tmp_path / "out"), "--json", "-"]
    assert main(asked) == 0
    out, err = capsys.readouterr()
    (result,) = json.loads(out)
    assert result["subjects"]["vitreous"]["difference"] <= 1e-5
    assert "1/1  inference ViT-Ti/32 at 32 float32 eager batch 1 cpu on 1 thread: " in err
    page = (tmp_path / "out" / "RESULTS.md").read_text()
    assert "## Inference, float32, eager, cpu" in page
    assert main(asked) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == [result]
    assert not err
    assert main([*asked[:-2], "--plan"]) == 0
    assert "1 of 1 are known already" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("vitreous.bench.run.run_case", lambda *_: pytest.fail("it ran"))
    asked = ["bench", *SMALL, "--task", "inference", "--mode", "eager", "--subjects", "vitreous"]
    assert main([*asked, "--out", str(tmp_path / "file/out")]) == 2
    err = capsys.readouterr().err
    assert "cannot write" in err
    assert len(err.splitlines()) == 1


def test_one_gpu_of_several_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(torch.device("cuda:1"), "float32", "as asked")
    monkeypatch.setattr("vitreous.parallel.device.choose_engine", lambda *_: engine)
    monkeypatch.setattr("vitreous.bench.plan.product_rate", lambda *_: 1e12)
    asked = ["bench", "ViT-Ti/16", "--task", "default", "--batch", "1", "--device", "cuda:1"]
    assert main([*asked, "--plan", "--out", str(tmp_path)]) == 0
    assert "default ViT-Ti/16 batch 1 cuda:1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["nothing.safetensors"], "unknown model 'nothing.safetensors'"),
        (["--task", "sleep"], "task 'sleep': choose inference"),
        (["--batch", "1,x"], "--batch is '1,x'"),
        (["--batch", "0"], "batch is 0"),
        (["--precision", "int3"], "precision 'int3'"),
        (["--subjects", "keras"], "--subjects names 'keras'"),
        (["--rounds", "0"], "--rounds is 0"),
        (["--image_size", "100", "--task", "inference"], "image height 100"),
        (["--threads", "-1"], "threads is -1"),
    ],
)
def test_mistakes(
    asked: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *asked, "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1
