import io
import json

import pytest
from rich.console import Console

from vitreous.errors import UserError
from vitreous.experiments.cache import TrialCache
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.finding import higher
from vitreous.experiments.reproduce import reproduce
from vitreous.report.reproduction import dots


def experiment_of(drawn, **changes) -> Experiment:
    def trials(setting):
        return [
            drawn(row=row, seed=seed, mean=mean)
            for seed in setting.each_seed()
            for row, mean in (("ViT", 0.8), ("ResNet", 0.6))
        ]

    values = {
        "name": "tableX",
        "title": "ViT against ResNet",
        "source": "Table X",
        "published": {("ViT", "accuracy"): 0.9, ("BiT-L", "accuracy"): 0.85},
        "scales": {
            "pocket": Scale(what="drawn", minutes=0.1),
            "lab": Scale(what="drawn", minutes=90, gpu=True),
        },
        "trials": trials,
        "findings": lambda results: [
            higher("ViT leads", results["ViT", "accuracy"], results["ResNet", "accuracy"])
        ],
        "draw": lambda results: dots(
            "Table X", {row: results[row, "accuracy"].values for row in results.rows}, x="accuracy"
        ),
    }
    return Experiment(**(values | changes))


def setting_of(tmp_path, scale="pocket", seeds=3) -> Setting:
    return Setting(scale=scale, seeds=seeds, data=Collection(tmp_path))


def test_table_verdict_and_figure(tmp_path, drawn) -> None:
    text = io.StringIO()
    done = reproduce(
        experiment_of(drawn),
        setting_of(tmp_path),
        tmp_path / "out",
        TrialCache(tmp_path / "trials"),
        Console(file=text),
    )
    assert [finding.verdict for finding in done.findings] == ["holds"]
    assert done.trials == 6
    assert done.flops == 60
    written = json.loads((tmp_path / "out" / "tableX.json").read_text())
    assert written["verdict"] == "holds"
    rows = {row["row"]: row for row in written["rows"]}
    assert rows["ViT"]["published"] == 0.9
    assert len(rows["ViT"]["values"]) == 3
    assert "values" not in rows["BiT-L"]
    assert (tmp_path / "out" / "tableX.svg").read_text().lstrip().startswith("<?xml")
    assert "6/6" in text.getvalue()


def test_seeds_are_those_that_were_run(tmp_path, drawn) -> None:
    once = experiment_of(drawn, trials=lambda setting: [drawn(row="ViT"), drawn(row="ResNet")])
    cache, console = TrialCache(tmp_path / "trials"), Console(file=io.StringIO())
    for experiment, seeds in ((once, 1), (experiment_of(drawn), 3)):
        done = reproduce(experiment, setting_of(tmp_path), tmp_path / "out", cache, console)
        assert done.to_dict()["seeds"] == seeds


def test_more_seeds_run_only_what_is_new(tmp_path, drawn) -> None:
    experiment, cache = experiment_of(drawn), TrialCache(tmp_path / "trials")
    for seeds in (1, 3, 3):
        setting, text = setting_of(tmp_path, seeds=seeds), io.StringIO()
        reproduce(experiment, setting, tmp_path / "out", cache, Console(file=text))
    assert "6 of 6 trials are in" in text.getvalue()
    ran = [file.read_text() for file in (tmp_path / "trials").glob("*/runs")]
    assert ran == ["1"] * 6


def test_refused_before_anything_is_run(tmp_path, drawn, monkeypatch) -> None:
    out, cache = tmp_path / "out", TrialCache(tmp_path / "trials")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="takes about 1.5 h on one GPU and there is none here"):
        reproduce(experiment_of(drawn), setting_of(tmp_path, "lab"), out, cache, Console())

    class Large(drawn):
        def check(self) -> None:
            raise UserError("needs 1,000 GiB")

    large = experiment_of(Large)
    with pytest.raises(UserError, match="1,000 GiB"):
        reproduce(large, setting_of(tmp_path), out, cache, Console())
    small = experiment_of(drawn, scales={"pocket": Scale(what="drawn", minutes=1)})
    with pytest.raises(UserError, match="has no --scale lab: choose pocket"):
        reproduce(small, setting_of(tmp_path, "lab"), out, cache, Console())
    assert not out.exists()
    assert not cache.folder.exists()
