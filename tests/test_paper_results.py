"""RESULTS.md of benchmarks/paper says what the JSON beside it says."""

import base64
import importlib.util
import io
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from vitreous.experiments.catalogue import NAMES
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.weights.save import save

TINY = {"image_size": 8, "patch": 4, "width": 8, "depth": 1, "mlp_width": 8, "heads": 1}
_FILE = Path(__file__).parents[1] / "benchmarks" / "paper" / "collect.py"


@pytest.fixture(scope="module")
def collect() -> ModuleType:
    spec = importlib.util.spec_from_file_location("collect", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(collect: ModuleType) -> None:
    assert (_FILE.parent / "RESULTS.md").read_text() == collect.page()


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(("table", "figure"))])
def test_every_table_and_figure_has_a_result(name: str, collect: ModuleType) -> None:
    result = json.loads((_FILE.parent / f"{name}.json").read_text())
    assert result["findings"]
    assert f"## {name}: " in collect.page()


def test_a_refusal_is_told_in_its_own_words(collect: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    save(create_model(ViTConfig(**TINY)), tmp_path / "weights" / "tiny.safetensors")
    result = collect.refusal("table9", tmp_path, tmp_path / "weights")
    (found,) = result["findings"]
    assert (result["verdict"], found["verdict"]) == ("not shown", "not shown")
    assert found["why"].startswith("DATA: none of VTAB's sets is there")
    assert not any("values" in row for row in result["rows"])
    with pytest.raises(SystemExit, match="equivariance is not refused"):
        collect.refusal("equivariance", tmp_path, tmp_path / "weights")


def test_photographs_of_a_figure_become_jpeg_and_maps_stay(collect: ModuleType) -> None:
    draw = np.random.default_rng(0)
    photo = draw.integers(0, 256, (64, 64, 4), np.uint8)
    photo[..., 3] = 255
    few = np.zeros((64, 64, 3), np.uint8)
    figure = "".join(f'<image xlink:href="{packed(pixels)}"/>' for pixels in (photo, few))
    made = collect.photos_as_jpeg(figure)
    assert made.count("data:image/jpeg;base64,") == 1
    assert packed(few) in made
    assert len(made) < len(figure)


def packed(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def test_published_values_stand_beside_own_in_per_cent(collect: ModuleType) -> None:
    rows = [
        {"row": "B/16", "column": "ImageNet", "published": 0.7791},
        {"row": "ViT", "column": "300", "values": [0.64, 0.65], "mean": 0.645, "spread": 0.0071},
    ]
    assert collect.table({"name": "figure3", "rows": rows}) == [
        "| | | published | here | spread | seeds |",
        "|---|---|---|---|---|---|",
        "| ViT | 300 | | 64.50% | 0.71% | 2 |",
        "| B/16 | ImageNet | 77.91% | | | |",
    ]
    own = collect.table({"name": "figure3", "rows": rows[1:]})
    assert own[0] == "| | | here | spread | seeds |"
