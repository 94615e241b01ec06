"""The cost of checkpoints in the paper's units."""

import json
from pathlib import Path

import pytest

from vitreous.experiments.cluster import operations
from vitreous.experiments.pretraining_cost import core_days, rule_in_words, spent_on
from vitreous.experiments.table2 import EXPERIMENT
from vitreous.train.config import TrainConfig


@pytest.fixture
def run_of(tmp_path: Path):
    """Makes a run folder as training leaves it, as far as the cost goes."""
    from vitreous.train.recipes.facts import Facts
    from vitreous.train.recipes.scratch import scratch

    def make(name: str, weights: str | None = None, flops: float = 2e18) -> Path:
        facts = Facts(data="photos", num_images=10, num_classes=2, channels=3)
        config = scratch(facts).to_dict() | {"weights": weights}
        folder = tmp_path / name
        folder.mkdir()
        (folder / "split.json").write_text("{}")
        (folder / "config.json").write_text(json.dumps(TrainConfig.from_dict(config).to_dict()))
        lines = [
            {"step": 1, "flops": flops / 2, "device_hours": 1.0},
            {"step": 2, "flops": flops, "device_hours": 3.0},
        ]
        (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
        return folder

    return make


def test_the_rule_gives_the_papers_core_days_back() -> None:
    """Together, what the rule is made from; and ViT-L/16 on ImageNet-21k, which it is not."""
    assert core_days(4262e18 + 1567e18) == pytest.approx(2500 + 680)
    assert EXPERIMENT.counted is not None
    run = EXPERIMENT.counted()["ViT-L/16 I21k"]
    assert core_days(operations(run)) == pytest.approx(230, rel=0.05)
    assert "1.83 exaFLOPs" in rule_in_words()


def test_a_run_tells_its_cost(run_of) -> None:
    run = run_of("run")
    for checkpoint in (run, run / "model.safetensors"):
        (run / "model.safetensors").touch()
        spent = spent_on(checkpoint)
        assert spent is not None
        assert (spent.device_hours, spent.operations, spent.begun_from) == (3.0, 2e18, None)
        assert spent.to_dict()["core_days"] == pytest.approx(2 / 1.833, rel=0.01)


def test_a_run_that_began_from_another_costs_both(run_of) -> None:
    first = run_of("first")
    spent = spent_on(run_of("second", str(first), 1e18))
    assert spent is not None
    assert (spent.device_hours, spent.operations, spent.begun_from) == (6.0, 3e18, None)


def test_what_is_not_known_is_named(run_of, tmp_path: Path) -> None:
    spent = spent_on(run_of("run", "B_16.npz"))
    assert spent is not None
    assert spent.begun_from == "B_16.npz"
    (tmp_path / "B_16.npz").touch()
    assert spent_on(tmp_path / "B_16.npz") is None
    assert spent_on(tmp_path / "nowhere") is None


def test_a_log_without_cost_is_none(run_of) -> None:
    run = run_of("run")
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
    assert spent_on(run) is None
    (run / "config.json").write_text('{"recipe": "of another version", "data": ""}')
    assert spent_on(run) is None
