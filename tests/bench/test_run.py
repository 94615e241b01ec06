"""A case from request to page; processes that die; what is known is not repeated."""

import json
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from vitreous.bench import entrant, worker
from vitreous.bench import run as running
from vitreous.bench.case import Case
from vitreous.bench.growth import curves, slope
from vitreous.bench.run import Store, run_case
from vitreous.bench.subject import LeftOutError
from vitreous.bench.summary import summarise
from vitreous.bench.table import markdown
from vitreous.errors import UserError

CASE = Case(work="inference", model="ViT-Ti/16", batch=2, image_size=32, threads=1)


def result(
    seconds: dict[str, list[float]], batch: int = 2, side: int = 32, **case: Any
) -> dict[str, Any]:
    """As a worker would have measured it."""
    given = {"work": "inference", "model": "ViT-Ti/16", "batch": batch, "image_size": side} | case
    subjects = {
        name: {
            "version": "1.0",
            "precision": "float32",
            "seconds": values,
            "processor_seconds": values,
            "peak_bytes": 2**20,
        }
        for name, values in seconds.items()
    }
    return {
        "case": Case(**given).to_dict(),
        "where": "a machine",
        "software": "PyTorch",
        "date": "2026-01-01",
        "rounds": 3,
        "parameters": 10**6,
        "flops": 2 * side**2,
        "pixels": side**2,
        "bandwidth": 4e9,
        "products": {"flops": 2 * side**2 * batch, "seconds": [0.5, 0.5, 0.5]},
        "subjects": subjects | {"vit-pytorch": {"left_out": "not installed"}},
    }


def test_a_worker_measures() -> None:
    measured = worker.measure(CASE, ["vitreous"], 2)
    ours = measured["subjects"]["vitreous"]
    assert len(ours["seconds"]) == len(ours["processor_seconds"]) == 2
    assert ours["difference"] <= 1e-5
    assert ours["held_bytes"] >= 4 * measured["parameters"]
    assert len(measured["products"]["seconds"]) == 2
    summary = summarise(measured)
    assert summary.rates["vitreous"] > 0
    assert summary.best_peer is None
    assert 0 < summary.shares["vitreous"] < 1.5
    assert "| ViT-Ti/16 | 32 | 2 | 1 |" in markdown([measured], [])


def test_one_that_dies_between_turns_leaves_the_others_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ready:
        def __init__(self, name: str, case: Case) -> None:
            self.name, self.said, self.turns = name, {"version": "1"}, 0

        def turn(self, calls: int) -> tuple[float, float]:
            self.turns += 1
            if self.name == "timm" and self.turns > 3:
                raise LeftOutError("killed, most likely for want of memory")
            return 0.2, 0.2

        def close(self) -> None:
            closed.append(self.name)

    closed: list[str] = []
    monkeypatch.setattr(worker, "Contestant", Ready)
    measured = worker.measure(CASE, ["vitreous", "timm"], 3)
    assert measured["subjects"]["vitreous"]["seconds"] == [0.2] * 3
    assert measured["subjects"]["timm"] == {"left_out": "killed, most likely for want of memory"}
    assert measured["products"]["seconds"] == [0.2] * 3
    assert sorted(closed) == ["bare products", "timm", "vitreous"]


@pytest.mark.parametrize(
    ("reason", "words"), [("out of memory", r"^out of memory \(bare products\)$"), (None, None)]
)
def test_products_are_missing_for_a_reason(
    monkeypatch: pytest.MonkeyPatch, reason: str | None, words: str | None
) -> None:
    def refuse(name: str, case: Case) -> None:
        raise LeftOutError(reason or entrant.NO_PRODUCTS)

    monkeypatch.setattr(worker, "Contestant", refuse)
    if words is None:
        assert worker.measure(CASE, [], 1)["products"] is None
        return
    with pytest.raises(SystemExit, match=words):
        worker.measure(CASE, [], 1)


def test_threads_are_as_before() -> None:
    before = torch.get_num_threads()
    with suppress(UserError), entrant.conditions(replace(CASE, threads=before + 1)):
        assert torch.get_num_threads() == before + 1
        raise UserError("no such model")
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("work", "tf32"), [("inference", False), ("default", True)])
def test_float32_that_was_asked_for_is_no_subjects_tf32(
    monkeypatch: pytest.MonkeyPatch, work: Any, tf32: bool
) -> None:
    """Whose convolutions PyTorch takes in TF32 on a GPU, unasked."""
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    assert torch.backends.cudnn.allow_tf32
    with entrant.conditions(replace(CASE, work=work, device="cuda")):
        assert torch.backends.cudnn.allow_tf32 == tf32
    assert torch.backends.cudnn.allow_tf32


def test_what_graphs_keep_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrant, "recorded_memory", lambda device: 2**30)
    _, said = entrant.enter("vitreous", CASE)
    assert 2**30 < said["held_bytes"] < said["peak_bytes"]


def test_other_logits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    true = entrant.answer
    monkeypatch.setattr(entrant, "answer", lambda model, images: true(model, images) * 1.01)
    with pytest.raises(LeftOutError, match=r"gives other logits: 9.9e-03"):
        entrant.enter("vitreous", CASE)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed, most likely for want of memory"),
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
    ],
)
def test_a_process_that_dies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, words: str
) -> None:
    script = tmp_path / "python"
    code = "import os, signal, sys; print('bench: making timm ready', file=sys.stderr, flush=True)"
    script.write_text(f"#!{sys.executable}\n{code}\n{program}\n")
    script.chmod(0o755)
    monkeypatch.setattr(running.sys, "executable", str(script))
    told: list[str] = []
    failed = run_case(CASE, ["vitreous"], 1, told.append)
    assert failed["failed"] == f"{words} (while making timm ready)"
    assert told == ["making timm ready"]
    page = markdown([failed], [])
    assert f"- {CASE.key}: {words}" in page


def test_what_is_known_is_not_repeated(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.json")
    assert not store.has(CASE, ["vitreous"], 3)
    known = result({"vitreous": [1.0] * 3, "timm": [2.0] * 3})
    store.keep(CASE, known | worker.heading(CASE, ["vitreous", "timm"], 3))
    again = Store(tmp_path / "results.json")
    assert again.has(CASE, ["vitreous", "timm"], 3)
    assert not again.has(CASE, ["vitreous", "transformers"], 3)
    assert not again.has(CASE, ["vitreous"], 4)
    again.results[CASE.key]["software"] = "another commit"
    assert not again.has(CASE, ["vitreous"], 3)


def test_what_is_installed_by_now_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: dict[str, str | None] = {"vitreous": "1.0", "timm": None}
    for module in (running, worker):
        monkeypatch.setattr(module, "version_of", installed.get)
    store = Store(tmp_path / "results.json")
    store.keep(CASE, result({"vitreous": [1.0] * 3}) | worker.heading(CASE, list(installed), 3))
    assert store.has(CASE, ["vitreous", "timm"], 3)
    installed["timm"] = "1.0"
    assert not store.has(CASE, ["vitreous", "timm"], 3)
    assert store.has(CASE, ["vitreous"], 3)
    store.keep(CASE, result({"vitreous": [1.0] * 3}) | worker.heading(CASE, list(installed), 3))
    installed["timm"] = "1.1"
    assert not store.has(CASE, ["vitreous", "timm"], 3)


@pytest.mark.parametrize(
    ("failed", "known"), [("killed, most likely (while timing)", False), ("ValueError: no", True)]
)
def test_what_was_killed_is_tried_again(tmp_path: Path, failed: str, known: bool) -> None:
    store = Store(tmp_path / "results.json")
    store.keep(CASE, worker.heading(CASE, ["vitreous"], 3) | {"failed": failed})
    assert store.has(CASE, ["vitreous"], 3) == known


def test_a_subject_that_was_killed_is_tried_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.json")
    known = result({"vitreous": [1.0] * 3}) | worker.heading(CASE, ["vitreous", "vit-pytorch"], 3)
    store.keep(CASE, known)
    assert store.has(CASE, ["vitreous", "vit-pytorch"], 3)
    known["subjects"]["vit-pytorch"] = {"left_out": "killed, most likely for want of memory"}
    assert not store.has(CASE, ["vitreous", "vit-pytorch"], 3)
    assert store.has(CASE, ["vitreous"], 3)


@pytest.mark.parametrize("text", ["", "[]", '{"cases": {"a": {"case": {"work": "sleep"}}}}'])
def test_a_file_of_something_else(tmp_path: Path, text: str) -> None:
    file = tmp_path / "results.json"
    file.write_text(text)
    with pytest.raises(UserError, match=r"holds no results of bench|work 'sleep'"):
        Store(file)


def test_ratios_shares_and_the_best_peer() -> None:
    summary = summarise(
        result({"vitreous": [1.0, 2.0, 1.0], "timm": [1.5, 3.0, 1.5], "torchvision": [1.2] * 3})
    )
    assert summary.ratios["timm"].median == 1.5
    assert summary.best_peer == "torchvision"
    assert summary.ratios["torchvision"].median == 1.2
    assert summary.rates["vitreous"] == 2.0
    assert summary.shares["vitreous"] == 0.5
    assert summary.reading["vitreous"] == 4e6 / 4e9
    assert summary.left_out == {"vit-pytorch": "not installed"}


def test_each_line_has_its_commit_and_each_place_its_commands() -> None:
    places = [("1111111", {"batch": 1}), ("2222222", {"batch": 2}), ("2222222", {"batch": 4})]
    results = [
        result({"vitreous": [1.0] * 3}, **case) | {"software": f"PyTorch 2; commit {commit}"}
        for commit, case in places
    ]
    page = markdown(results, [])
    rows = [line for line in page.splitlines() if line.startswith("| ViT-Ti/16")]
    assert [row.split(" | ")[-1] for row in rows] == ["1111111 |", "2222222 |", "2222222 |"]
    _, first, second = page.split("; 2026-01-01; PyTorch 2; commit ")
    assert first.startswith("1111111; measured again by\n")
    assert first.count("    vitreous bench ViT-Ti/16 --task inference") == 1
    assert second.startswith("2222222; measured again by\n")
    assert "--batch 2,4 --image_size 32 " in second
    assert "| commit |" not in markdown([results[0] | {"software": "PyTorch 2"}], [])


def test_exponents() -> None:
    assert slope([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    assert slope([1, 2], [3, None]) is None
    results = [result({"vitreous": [side**3.0] * 3}, side=side) for side in (16, 32, 64)]
    (curve,) = curves([*results, {"failed": "killed"}])
    assert curve.axis == "pixels"
    assert curve.labels == ["16", "32", "64"]
    assert curve.exponent("vitreous") == pytest.approx(1.5)
    assert curve.arithmetic == pytest.approx(1)
    page = markdown(results, ["growth.svg"])
    assert "Exponent in pixels: vitreous 1.50; arithmetic 1.00." in page
    assert "![growth](growth.svg)" in page
    json.dumps(results)
