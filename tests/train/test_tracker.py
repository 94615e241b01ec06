"""Services are stood in for by modules of their names, which note what they are told."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from vitreous.errors import UserError
from vitreous.train.run import train
from vitreous.train.run_folder import continued
from vitreous.train.tracker import open_tracker


@pytest.fixture
def wandb(monkeypatch):
    module = ModuleType("wandb")
    module.started, module.lines, module.ends = [], [], []

    def init(**given):
        module.started.append(given)
        return SimpleNamespace(
            log=lambda line, step: module.lines.append((step, line)),
            finish=lambda exit_code: module.ends.append(exit_code),
        )

    module.init = init
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


@pytest.fixture
def mlflow(monkeypatch):
    module = ModuleType("mlflow")
    module.started, module.lines, module.params, module.ends = [], [], [], []

    def start_run(run_id, run_name):
        module.started.append((run_id, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="abc"))

    module.start_run = start_run
    module.log_params = module.params.append
    module.log_metrics = lambda line, step: module.lines.append((step, line))
    module.end_run = lambda status: module.ends.append(status)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return module


def test_a_run_sends_every_line_of_its_log(make_config, digits, console, tmp_path, wandb):
    train(make_config(steps=2, logger="wandb"), digits, tmp_path / "run", console)
    written = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [line for _, line in wandb.lines] == [json.loads(line) for line in written]
    assert wandb.started[0]["config"]["batch_size"] == 40
    assert wandb.ends == [0]


def test_a_resumed_run_goes_on_with_its_record(tmp_path, wandb, mlflow):
    first = open_tracker("wandb", tmp_path, {})
    first.close(failed=True)
    open_tracker("wandb", tmp_path, {})
    assert wandb.started[0]["id"] == wandb.started[1]["id"]
    assert wandb.ends == [1]


def test_mlflow_has_fields_by_their_dotted_names(tmp_path, mlflow):
    tracker = open_tracker("mlflow", tmp_path / "run", {"a": {"b": 1}, "c": 2})
    tracker.write({"step": 3, "loss": 0.5})
    tracker.close(failed=False)
    assert mlflow.params == [{"a.b": 1, "c": 2}]
    assert mlflow.lines == [(3, {"step": 3, "loss": 0.5})]
    assert mlflow.ends == ["FINISHED"]
    open_tracker("mlflow", tmp_path / "run", {})
    assert [run for run, _ in mlflow.started] == [None, "abc"]
    assert len(mlflow.params) == 1


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_what_is_not_installed_is_told_how_to_be(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=f"pip install {name}"):
        open_tracker(name, tmp_path, {})


def test_none_is_none(tmp_path):
    assert open_tracker("none", tmp_path, {}) is None


def test_a_run_is_refused_before_anything_is_written(
    make_config, digits, console, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "wandb", None)
    out = tmp_path / "run"
    with pytest.raises(UserError, match="pip install wandb"):
        train(make_config(logger="wandb"), digits, out, console)
    train(make_config(steps=1), digits, out, console)  # the folder is still free


def test_a_run_goes_on_without_the_service_that_it_was_begun_with(make_config):
    begun, asked = make_config(logger="wandb"), make_config(logger="none")
    assert continued(begun, asked).logger == "none"
