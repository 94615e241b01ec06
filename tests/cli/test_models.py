import json

import pytest

from vitreous.cli.main import main
from vitreous.model.variants import list_models


def test_every_variant_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[1:] if line}
    assert set(list_models()) <= set(rows)
    assert rows["ViT-B/16"][1:5] == ["86.6", "17.56", "224", "84.15"]


def test_one_in_detail(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "vit_b_16"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ViT-B/16: 86,567,656 parameters")
    assert "pre-trained on ImageNet-21k, fine-tuned at 384: 83.97 %" in out
    assert "https://download.pytorch.org/models/vit_b_16-c867db91.pth" in out
    assert main(["models", "ViT-g/14"]) == 0
    assert "no published weights" in capsys.readouterr().out


def test_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "B/16", "--image_size", "384", "--json", "-"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["parameters"] == 86_859_496
    assert facts["image_size"] == [384, 384]
    assert facts["checkpoints"][0]["licence"] == "Apache-2.0"
    assert main(["models", "--json", "-"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list_models()


def test_a_size_that_some_patches_do_not_divide(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--image_size", "256", "--json", "-"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert "no multiple of the patch side 14" in rows["ViT-H/14"]["error"]
    assert rows["ViT-B/16"]["image_size"] == [256, 256]


def test_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "ViT-X/16"]) == 2
    assert "unknown model 'ViT-X/16': nearest are" in capsys.readouterr().err
    assert main(["models", "--image_size", "0"]) == 2
    assert "image_size" in capsys.readouterr().err
