"""RESULTS.md of benchmarks/paper says what the JSON beside it says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

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
