"""Experiments that look at trained models, measure them or count: nothing is trained."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

import vitreous
from small_sets import write_sets
from vitreous.cli.main import main
from vitreous.errors import UserError
from vitreous.experiments import figure12
from vitreous.experiments.cache import TrialCache, in_order
from vitreous.experiments.catalogue import find_experiment
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Setting
from vitreous.experiments.figure12 import SpeedTrial
from vitreous.experiments.published_transfer import table2, table5, table6
from vitreous.experiments.reproduce import Reproduction, reproduce
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.training import TrainingTrial
from vitreous.weights.convert import convert

TINY = {"patch": 4, "width": 16, "depth": 2, "mlp_width": 16, "heads": 2, "num_classes": 2}
TINY |= {"image_size": (16, 16)}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two checkpoints, a ViT and a hybrid, and a folder of data sets."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "weights").mkdir()
    for name, fields in (("vit", {}), ("hybrid", {"stem": (), "stem_width": 32})):
        model = vitreous.create_model(vitreous.ViTConfig(name="ViT-B/16", **(TINY | fields)))
        vitreous.save(model, folder / "weights" / f"{name}.safetensors")
    draw = np.random.default_rng(0)
    for label in "abc":
        (folder / "data" / "flower_photos" / label).mkdir(parents=True)
        for number in range(6):
            pixels = draw.integers(256, size=(20, 24, 3), dtype=np.uint8)
            file = folder / "data" / "flower_photos" / label / f"{number}.png"
            Image.fromarray(pixels).save(file)
    for part in ("train", "test"):
        x = draw.integers(256, size=(60, 32, 32, 3), dtype=np.uint8)
        y = np.arange(60) % 10
        np.savez(folder / "data" / f"cifar10_jpeg_{part}.npz", x=x, y=y)
    write_sets(folder / "data" / "vtab-1k")
    return folder


def done(name: str, shelf: Path, out: Path, weights: str = "weights") -> Reproduction:
    setting = Setting(
        scale="pocket", seeds=1, data=Collection(shelf / "data"), weights=shelf / weights
    )
    cache, console = TrialCache(out / "trials"), Console(file=io.StringIO())
    return reproduce(find_experiment(name), setting, out, cache, console)


def verdicts(found: Reproduction) -> list[str]:
    return [finding.verdict for finding in found.findings]


def test_table1_is_exact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "table1", "--out", str(tmp_path), "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["verdict"] == "holds"
    counts = {row["row"]: row["mean"] for row in results["rows"] if row["column"] == "with a head"}
    assert counts["ViT-B/16"] == 86_567_656
    assert counts["ViT-L/16"] == 304_326_632
    assert counts["ViT-H/14"] == 632_045_800


def test_figures_of_the_inside(shelf: Path, tmp_path: Path) -> None:
    seven = done("figure7", shelf, tmp_path)
    assert seven.results.rows == ["hybrid", "vit"]
    facts = seven.results["vit", "variance in 28 filters"].facts[0]
    assert np.shape(facts["filters"])[1:] == (3, 4, 4)
    assert np.shape(facts["similarity"]) == (4, 4, 4, 4)
    assert np.shape(facts["distance"]) == (2, 2)
    assert 0.5 < seven.results["vit", "nearest head of the first layer"].mean < 1.2
    assert len(seven.findings) == 8
    six = done("figure6", shelf, tmp_path)
    assert six.results["vit", "images"].mean == 3, "a fifth of eighteen photos"
    assert len(verdicts(six)) == 2
    fourteen = done("figure14", shelf, tmp_path)
    assert fourteen.results["vit", "images"].mean == 3
    eleven = done("figure11", shelf, tmp_path)
    assert eleven.results["hybrid", "local heads"].facts[0]["hybrid"]
    assert verdicts(eleven) == ["not shown"], "random models have learnt nothing"
    for name in ("figure6", "figure7", "figure11", "figure14"):
        assert (tmp_path / f"{name}.svg").stat().st_size > 10_000
    for drawn in (six, fourteen):
        title = drawn.experiment.draw(drawn.results).get_suptitle()
        assert title.endswith("hybrid, the first of 2 checkpoints")
    again = done("figure7", shelf, tmp_path)
    assert again.results.cells == seven.results.cells, "read from the cache"


def test_the_set_that_was_looked_at_is_named(shelf: Path, tmp_path: Path) -> None:
    assert "over 3 images of five flowers" in done("figure6", shelf, tmp_path).findings[0].why
    (tmp_path / "data").mkdir()
    for part in ("train", "test"):
        shutil.copy(shelf / "data" / f"cifar10_jpeg_{part}.npz", tmp_path / "data")
    (tmp_path / "weights").symlink_to(shelf / "weights")
    six = done("figure6", tmp_path, tmp_path)
    assert "over 12 images of CIFAR-10" in six.findings[0].why
    assert "on images of CIFAR-10 where --data has no flowers" in six.to_dict()["measured_as"]
    seven = done("figure7", tmp_path, tmp_path)
    assert {cell.facts[0]["images of"] for cell in seven.results.cells.values()} == {"CIFAR-10"}


def test_a_figure_says_how_many_it_leaves_out(shelf: Path, tmp_path: Path) -> None:
    found = done("figure11", shelf, tmp_path, "weights/vit.safetensors")
    outcome = Outcome({"local heads": 0.5}, facts=found.results["vit", "local heads"].facts[0])
    draw = found.experiment.draw
    assert draw is not None
    assert draw(found.results).get_suptitle() == "Mean attention distance"
    five = Results((f"vit {number}", outcome) for number in range(5))
    assert draw(five).get_suptitle() == "Mean attention distance, the first 4 of 5 checkpoints"
    assert len(draw(five).axes) == 4


def test_one_kind_of_model_shows_no_difference(shelf: Path, tmp_path: Path) -> None:
    found = done("figure11", shelf, tmp_path, "weights/vit.safetensors")
    assert found.findings[0].why == "no hybrid is among the checkpoints"


def test_without_weights_a_small_model_stands_in(shelf: Path) -> None:
    """One training serves all of them."""
    setting = Setting(scale="pocket", seeds=1, data=Collection(shelf / "data"))
    trained = set()
    for name in ("figure6", "figure7", "figure14"):
        first, second = in_order(find_experiment(name).trials(setting))
        assert isinstance(first, TrainingTrial)
        assert second.needs == (first,)
        trained.add(first.digest)
    assert len(trained) == 1
    assert len(list(in_order(find_experiment("figure11").trials(setting)))) == 4


def test_a_resnet_has_no_attention(shelf: Path, tmp_path: Path) -> None:
    config = vitreous.BiTConfig(
        name="BiT", image_size=(16, 16), num_classes=2, units=(1,), stem_width=32, norm_groups=8
    )
    vitreous.save(vitreous.create_model(config), shelf / "bit.safetensors")
    with pytest.raises(
        UserError, match=r"bit\.safetensors is a BiT, which has no attention: take it out of --"
    ):
        done("figure7", shelf, tmp_path, "bit.safetensors")


def fill(folder: Path, shelf: Path, name: str, **fields: Any) -> Path:
    """A folder of checkpoints: `a`, which is good, and one that is behind it."""
    folder.mkdir()
    shutil.copy(shelf / "weights" / "vit.safetensors", folder / "a.safetensors")
    model = vitreous.create_model(vitreous.ViTConfig(**(TINY | fields)))
    convert(model, folder / name, "timm")
    for config in folder.glob("*.json"):
        config.unlink()
    return folder


@pytest.mark.parametrize("name", ["figure6", "figure7", "figure11", "figure14", "table2", "vtab"])
def test_a_checkpoint_that_cannot_be_read_is_refused_before_any_trial(
    name: str, shelf: Path, tmp_path: Path
) -> None:
    weights = fill(tmp_path / "weights", shelf, "silent.safetensors", width=48, heads=3)
    with pytest.raises(
        UserError, match=r"silent\.safetensors does not .*convert --heads; otherwise take it out"
    ) as refused:
        done(name, shelf, tmp_path / "out", str(weights))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists(), "no trial was begun"


def test_a_checkpoint_of_other_images_is_refused_before_any_trial(
    shelf: Path, tmp_path: Path
) -> None:
    weights = fill(tmp_path / "weights", shelf, "grey.safetensors", width=64, heads=1, channels=1)
    with pytest.raises(UserError, match=r"grey\.safetensors: the data has 3 channels .*out of --"):
        done("figure6", shelf, tmp_path / "out", str(weights))
    assert not (tmp_path / "out").exists()


def test_transfer_beside_the_published(shelf: Path, tmp_path: Path) -> None:
    found = done("table5", shelf, tmp_path)
    assert {place for place in found.results.cells} == {
        ("hybrid", "CIFAR-10"), ("vit", "CIFAR-10"),
    }  # fmt: skip
    assert found.findings[0].why == "the table has no row of that architecture"
    assert found.findings[-1].why.startswith("absent: CIFAR-100, ImageNet, ReaL (")
    assert set(verdicts(found)) == {"not shown"}


def test_published_numbers() -> None:
    assert table2()["BiT-L R152x4", "ImageNet"] == pytest.approx(0.8754)
    assert ("Noisy Student", "CIFAR-10") not in table2()
    assert table5()["ViT-L/32 ImageNet", "Pets"] == pytest.approx(0.9135)
    assert ("ViT-H/14 ImageNet", "Pets") not in table5()
    assert len(table5()) == 84
    assert len(table6()) == 18 * 6
    # The mean of five of R50x1 that Table 7 prints.
    five = [
        table6()["ResNet50x1, 7 epochs", name]
        for name in ("ImageNet", "CIFAR-10", "CIFAR-100", "Pets", "Flowers")
    ]
    assert np.mean(five) == pytest.approx(0.8933, abs=1e-4)


def test_vtab_task_by_task(shelf: Path, tmp_path: Path) -> None:
    found = done("vtab", shelf, tmp_path)
    assert found.results.rows == ["hybrid", "vit"]
    assert list(found.results.row("vit")) == ["SVHN", "EuroSAT", "dSpr-Loc"]
    assert "missing: Caltech101, CIFAR-100" in found.findings[0].why
    assert (tmp_path / "table9.svg").is_file()


@pytest.mark.parametrize("name", ["table2", "table9"])
def test_what_is_absent_is_told_first(name: str, shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder|none of"):
        done(name, shelf, tmp_path, "nowhere")
    setting = Setting(scale="pocket", seeds=1, data=Collection(shelf / "data"))
    with pytest.raises(UserError, match=f"^{name} .*give --weights, a folder of checkpoints"):
        find_experiment(name).trials(setting)
    empty = Setting(
        scale="pocket", seeds=1, data=Collection(shelf / "weights"), weights=shelf / "weights"
    )
    with pytest.raises(UserError, match="none of"):
        find_experiment(name).trials(empty)
    gone = Setting(
        scale="pocket", seeds=1, data=Collection(shelf / "no"), weights=shelf / "weights"
    )
    what = {"table2": "ImageNet", "table9": "VTAB"}[name]
    with pytest.raises(UserError, match=f"no: none of {what}"):
        find_experiment(name).trials(gone)


def test_speed_is_of_this_machine(tmp_path: Path) -> None:
    outcome = SpeedTrial(row="ViT-Ti/16", side=32).run(tmp_path, lambda trial: tmp_path)
    assert outcome.values["images/s at 32"] > 0
    assert outcome.facts["side"] == 32


def test_what_speeds_say() -> None:
    """The time an image goes as its pixels, then as their square."""
    experiment = find_experiment("d5")
    for power, verdict in ((1, "holds"), (2, "does not hold")):
        results = Results(
            (
                "ViT-B/16",
                Outcome({f"images/s at {side}": side ** (-2.0 * power)}, facts={"side": side}),
            )
            for side in (64, 128, 224, 384, 512)
        )
        speed, memory = experiment.findings(results)
        assert speed.verdict == verdict
        assert memory.verdict == "not shown"
        assert experiment.draw is not None
        assert len(experiment.draw(results).axes) == 1


def test_the_side_that_was_run_counts() -> None:
    """Patches of 14 divide neither 384 nor 512."""
    experiment = find_experiment("figure12")
    results = Results(
        ("ViT-H/14", Outcome({f"images/s at {side}": run**-2.0}, facts={"side": run}))
        for side, run in ((384, 378), (512, 518))
    )
    speed, _ = experiment.findings(results)
    assert "from 378 to 518 pixels a side" in speed.why
    assert "to the power 1.00" in speed.why
    assert experiment.draw is not None
    (line,) = experiment.draw(results).axes[0].lines
    assert line.get_xdata().tolist() == [378, 518]


def test_what_does_not_fit_has_no_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> float:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(figure12, "_pass_seconds", full)
    outcome = SpeedTrial(row="ViT-Ti/16", side=32).run(tmp_path, lambda trial: tmp_path)
    assert outcome.values == {}
    one = Outcome({"images/s at 64": 9.0}, facts={"side": 64})
    speed, _ = find_experiment("figure12").findings(Results([("ViT-B/16", one), ("x", outcome)]))
    assert speed.why == "fewer than two sizes fit into this machine's memory"


def test_axial_models_are_said_to_be_absent() -> None:
    experiment = find_experiment("figure13")
    counted = [
        trial
        for trial in experiment.trials(Setting(scale="pocket", seeds=1, data=Collection(Path())))
        if not isinstance(trial, SpeedTrial)
    ]
    results = Results((trial.row, trial.run(Path(), lambda trial: Path())) for trial in counted)
    first, second = experiment.findings(results)
    assert first.verdict == "holds"
    assert "not in this package" in second.why
