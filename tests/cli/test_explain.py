"""`vitreous explain`, from the command line to the files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vitreous
from planted import LAYER, NEURON, bright_pixels, planted
from vitreous.cli.main import main
from vitreous.model.bit_config import BiTConfig
from vitreous.model.resnet_config import ResNetConfig

MODEL = {"image_size": (16, 24), "width": 12, "depth": 2, "mlp_width": 12, "num_classes": 2}


@pytest.fixture
def model(tmp_path: Path) -> str:
    config = vitreous.ViTConfig(name="tiny", patch=8, heads=2, **MODEL)
    network = vitreous.create_model(config)
    vitreous.save(network, tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            pixels = draw.integers(256, size=(20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def test_weights_image_and_data(model: str, photos: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["explain", model, "--out", str(out / "weights")]) == 0
    assert "the page is" in capsys.readouterr().out
    written = {path.name for path in (out / "weights").iterdir()}
    assert {"explain.html", "explain.json", "filters.png", "position_similarity.svg"} <= written

    image = str(photos / "cat" / "0.png")
    assert main(["explain", model, image, "--out", str(out / "image"), "--json", "-"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert set(numbers["maps"]) == {"attention", "rollout", "gradient rollout", "relevance"}
    assert {"attention_maps.png", "heads.svg", "trust.csv", "heads.csv"} <= {
        path.name for path in (out / "image").iterdir()
    }

    assert main(["explain", model, str(photos), "--out", str(out / "data"), "--images", "4"]) == 0
    numbers = json.loads((out / "data" / "explain.json").read_text())
    assert numbers["images"] == 4
    assert {"attention_distance.png", "rollout.png", "layers.csv"} <= {
        path.name for path in (out / "data").iterdir()
    }


def test_artifacts_are_remedied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vitreous.save(planted(), tmp_path / "model.safetensors")
    for number, pixels in enumerate(bright_pixels()):
        (tmp_path / "photos" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / "ab"[number % 2] / f"{number}.png")
    model, photos, out = (str(tmp_path / name) for name in ("model.safetensors", "photos", "out"))
    assert main(["explain", model, photos, "--out", out, "--remedy", "--json", "-"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["remedy"]["works"]
    (neuron,) = numbers["remedy"]["neurons"]
    assert (neuron["layer"], neuron["neuron"]) == (LAYER + 1, NEURON)
    assert "layer 2, neuron 17" in Path(out, "explain.html").read_text()
    remedied = vitreous.load(Path(out, numbers["remedied"]))
    assert remedied.config.register_neurons == ((LAYER, NEURON),)
    capsys.readouterr()
    assert (
        main(["explain", str(Path(out, "remedied.safetensors")), photos, "--out", out + "2"]) == 0
    )
    layers = json.loads(Path(out + "2", "explain.json").read_text())["layers"]
    assert not any(row["artifact_share"] for row in layers)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jpg"], "nowhere.jpg"),
        (["broken.png"], "cannot read broken.png"),
        (["nowhere/"], "no such file or folder"),
        (["good.png", "--target", "rose"], "no class 'rose': it knows 0, 1"),
        (["photos", "--target", "0"], "--target is for one image"),
        (["photos", "--part", "test"], "has no part 'test'"),
        (["photos", "--images", "0"], "--images is 0"),
        (["good.png", "--out", "taken"], "choose another"),
    ],
)
def test_mistakes_are_one_line(
    model: str, photos: Path, tmp_path: Path, capsys, monkeypatch, arguments, words
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.png").write_text("text")
    Path("taken").mkdir()
    Path("taken", "explain.html").write_text("mine")
    Image.new("RGB", (9, 9)).save("good.png")
    out = [] if "--out" in arguments else ["--out", "out"]
    assert main(["explain", model, *arguments, *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not Path("out").exists()
    assert Path("taken", "explain.html").read_text() == "mine"


@pytest.mark.parametrize("kind", [BiTConfig, ResNetConfig])
def test_a_resnet_is_shown_as_far_as_it_goes(kind, tmp_path: Path, photos: Path, capsys) -> None:
    config = kind(name="tiny", image_size=(32, 48), units=(1,), stem_width=32, num_classes=2)
    path, image = str(tmp_path / "bit.safetensors"), str(photos / "dog" / "1.png")
    vitreous.save(vitreous.create_model(config), path)
    assert main(["explain", path, "--out", str(tmp_path / "weights")]) == 0
    assert not (tmp_path / "weights" / "position_similarity.png").exists()
    assert main(["explain", path, image, "--out", str(tmp_path / "image"), "--json", "-"]) == 0
    out = capsys.readouterr().out
    assert list(json.loads(out[out.index("{") :])["maps"]) == ["occlusion"]
    assert main(["explain", path, str(photos), "--out", str(tmp_path / "data")]) == 2
    assert "no attention to look at over a data set" in capsys.readouterr().err
