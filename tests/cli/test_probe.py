import json

import numpy as np
import pytest
from PIL import Image

from vitreous.cli.main import main
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.weights.save import save


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    config = ViTConfig(
        image_size=(8, 8), patch=4, channels=1, width=16, depth=1, mlp_width=16, heads=2,
        num_classes=0,
    )  # fmt: skip
    file = tmp_path_factory.mktemp("probe") / "model.safetensors"
    save(create_model(config), file)
    return str(file)


def test_all_three_are_measured(model, capsys) -> None:
    assert main(["probe", model, "digits", "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [row["shots"] for row in results["few_shot"]] == [1, 5, 10, 25]
    assert all(len(row["accuracies"]) == 3 for row in results["few_shot"])
    assert results["num_images"] == 360
    assert results["part"] == "test"
    # Even random features tell digits apart.
    assert 0.3 < results["few_shot"][-1]["accuracy"] < results["linear"]["accuracy"] < 1
    assert results["neighbours"]["neighbours"] == 20
    assert results["neighbours"]["accuracy"] > 0.5


def test_one_of_them_reads_well_and_gives_the_same(model, capsys) -> None:
    assert main(["probe", model, "digits", "--few_shot", "5,1", "--seeds", "2"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3
    assert "1 shot " in told[1]
    assert "5 shots" in told[2]
    assert " ± " in told[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--few_shot", "5,900"], "900 shots are asked for and class"),
        (["--few_shot", "many"], "give it as 1,5,10"),
        (["--few_shot", "0"], "give 1 or more"),
        (["--neighbours", "100000"], "neighbours are asked for among"),
        (["--neighbours", "0"], "--neighbours is 0: give at least 1"),
        (["--neighbours", "-3"], "at least 1"),
        (["--pool", "max"], "choose head, token or mean"),
        (["--l2", "0"], "over 0"),
        (["--seeds", "0"], "at least 1"),
    ],
)
def test_a_mistake_is_one_line(model, options, words, capsys) -> None:
    assert main(["probe", model, "digits", *options]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


@pytest.fixture
def small_set(tmp_path):
    """Grey images: of class c one that is learnt from and one measured on, and none of class d."""
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "small.npz", x=images, y=labels, class_names=np.array(list("abcd")))
    return str(tmp_path / "small.npz")


def test_a_small_set_is_probed_and_few_shot_left_out_aloud(model, small_set, capsys) -> None:
    assert main(["probe", model, small_set, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    results = json.loads(out)
    assert "linear" in results
    assert "neighbours" in results
    assert "few_shot" not in results
    assert "few-shot is left out: class d has no training image" in err
    assert main(["probe", model, small_set, "--few_shot"]) == 2
    assert "class d has no training image" in capsys.readouterr().err


def test_an_image_that_cannot_be_read_is_named_and_counted(model, tmp_path, capsys) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 30, 8, 8), dtype=np.uint8)
    for label, images in zip("ab", noise, strict=True):
        (tmp_path / label).mkdir()
        for number, pixels in enumerate(images):
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    (tmp_path / "a" / "7.png").write_bytes(b"no picture")
    assert main(["probe", model, str(tmp_path), "--linear"]) == 0
    out, err = capsys.readouterr()
    assert "1 unreadable left out" in out
    assert err.count("\n") == 1
    assert err.startswith("vitreous: cannot read a/7.png: ")
    assert main(["probe", model, str(tmp_path), "--linear", "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert list(results["skipped"]) == ["a/7.png"]
    assert results["train_images"] + results["num_images"] == 59
