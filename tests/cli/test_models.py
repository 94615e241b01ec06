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


@pytest.mark.parametrize("name", ["BiT-R152x4", "BiT-L R152x4"])
def test_the_papers_comparator(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", name]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("Table 2")]
    assert line == (
        "Table 2, BiT-L R152x4: ImageNet 87.54 ± 0.02, ImageNet ReaL 90.54, CIFAR-10 99.37 ± 0.06, "
        "CIFAR-100 93.51 ± 0.08, Pets 96.62 ± 0.23, Flowers 99.63 ± 0.03, VTAB (19 tasks) "
        "76.29 ± 1.70, TPUv3-core-days 9.9k"
    )


@pytest.mark.parametrize(
    "name",
    ["Noisy Student", "noisy-student", "NoisyStudent", "EfficientNet-L2", "EffNet-L2",
     "Noisy Student EfficientNet-L2", "Noisy Student (EfficientNet-L2)", "tf_efficientnet_l2_ns"],
)  # fmt: skip
def test_a_comparator_without_a_model(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", name]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "Noisy Student (EfficientNet-L2): a published comparator of Table 2; "
        "no model of it is here",
        "Table 2, Noisy Student: ImageNet 88.4 / 88.5*, ImageNet ReaL 90.55, TPUv3-core-days 12.3k",
        "* 88.5 is of Touvron et al. 2020 (FixEfficientNet)",
    ]
    assert main(["models", name, "--json", "-"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["paper_rows"]
    assert row["values"]["TPUv3-core-days"]["value"] == 12300


@pytest.mark.parametrize("name", ["2", "student", "EfficientNet-B0"])
def test_other_names_are_not_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", name]) == 2
    assert "unknown model" in capsys.readouterr().err


def test_rows_of_table_6(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "ViT-L/16", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["paper_rows"]
    assert [one["row"] for one in rows] == [
        "ViT-L/16 JFT", "ViT-L/16 I21k", "ViT-L/16, 7 epochs", "ViT-L/16, 14 epochs",
    ]  # fmt: skip
    assert rows[3]["values"]["exaFLOPs"]["value"] == 1567
