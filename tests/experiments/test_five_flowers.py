"""The walk-through's experiment: its published table, its plan, and whole runs of a few steps."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

import vitreous
from vitreous.cli.main import main
from vitreous.errors import UserError
from vitreous.experiments import five_flowers, flower_weights
from vitreous.experiments.cache import TrialCache, in_order
from vitreous.experiments.class_report import LOSS, column_of
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Setting
from vitreous.experiments.five_flowers import EXPERIMENT, mean_curve
from vitreous.experiments.flower_weights import CLASSES
from vitreous.experiments.reproduce import Reproduction, reproduce
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.training import TrainingTrial
from vitreous.weights.convert import convert

ROWS = ["ViT, pretrained", "ResNet", "ViT, from scratch"]
TINY = {"patch": 8, "width": 48, "depth": 2, "mlp_width": 48, "heads": 3, "num_classes": 10}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photos of each flower, and 200 images of ten other things."""
    folder = tmp_path_factory.mktemp("data")
    draw = np.random.default_rng(0)
    for name in CLASSES:
        (folder / "flower_photos" / name).mkdir(parents=True)
        for number in range(10):
            pixels = draw.integers(256, size=(48, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "flower_photos" / name / f"{number}.png")
    for part in ("train", "test"):
        x = draw.integers(256, size=(200, 32, 32, 3), dtype=np.uint8)
        np.savez(folder / f"cifar10_jpeg_{part}.npz", x=x, y=np.arange(200) % 10)
    return folder


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ViT in Google's layout."""
    torch.manual_seed(1)
    config = vitreous.ViTConfig(name="ViT-tiny", image_size=(32, 32), **TINY)
    file = tmp_path_factory.mktemp("weights") / "tiny.npz"
    convert(vitreous.create_model(config), file, "google")
    return file


def setting_of(data: Path, weights: Path | None = None, seeds: int = 2, scale="pocket") -> Setting:
    return Setting(scale=scale, seeds=seeds, data=Collection(data), weights=weights)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same plan, of a few steps."""
    for name, value in (("_STEPS", 6), ("_BATCH", 20), ("_PRETRAINING_IMAGES", 192)):
        monkeypatch.setattr(five_flowers, name, value)


def test_published_values_are_the_walk_throughs() -> None:
    published = EXPERIMENT.published
    assert len(published) == 2 * (5 * 3 + 1)
    assert published["ViT, pretrained", "tulips, recall"] == 0.914
    assert published["ResNet", "dandelion, precision"] == 0.493
    assert published["ResNet", "accuracy"] == 0.689
    # Each F1 is the harmonic mean of what stands beside it, but for the third digit's rounding.
    for row in ROWS[:2]:
        for name in CLASSES:
            precision, recall, f1 = (
                published[row, column_of(name, measure)]
                for measure in ("precision", "recall", "F1")
            )
            assert f1 == pytest.approx(2 * precision * recall / (precision + recall), abs=0.0015)


def test_all_arms_share_photos_and_recipe(data: Path) -> None:
    plan = EXPERIMENT.trials(setting_of(data))
    arms = {(trial.row, trial.seed): trial.start for trial in plan if trial.row}
    assert list(dict.fromkeys(row for row, _ in arms)) == ROWS
    configs = {row: arms[row, 0].config for row in ROWS}
    for config in configs.values():
        assert config.optimizer.name == "sgd"
        assert (config.optimizer.learning_rate, config.optimizer.weight_decay) == (1e-3, 5e-5)
        assert config.schedule.final == 0.01
        assert config.preprocessing.mean == (0.5, 0.5, 0.5)
        assert (config.batch_size, config.steps) == (64, 574)
    assert [configs[row].tuning.train for row in ROWS] == ["all", "all", "all"]
    assert arms[ROWS[2], 0].flops == pytest.approx(arms[ROWS[1], 0].flops, rel=0.2)
    assert configs[ROWS[0]].model == configs[ROWS[2]].model
    assert len({id(arm.dataset) for arm in arms.values()}) == 1
    held_out = arms[ROWS[0], 0].dataset.parts["validation"]
    assert np.bincount(held_out.labels).tolist() == [2] * 5
    pretraining = [trial for trial in in_order(plan) if isinstance(trial, TrainingTrial)]
    assert {t.dataset.num_classes for t in pretraining} == {5, 10}


def test_a_whole_run_is_judged_and_drawn(data: Path, tmp_path: Path, short: None) -> None:
    done = run(setting_of(data), tmp_path)
    assert done.results.rows == ROWS
    assert [finding.claim for finding in done.findings] == [
        "the pretrained ViT is ahead of the ResNet from random weights",
        "the pretrained ViT is ahead of the same ViT from random weights",
        "from random weights the ResNet is ahead of the ViT",
    ]
    for row in ROWS:
        cells = done.results.row(row)
        assert len(cells) == 17
        assert all(len(cell.values) == 2 for cell in cells.values())
        assert cells[LOSS].facts[0]["training"]
    trials = in_order(EXPERIMENT.trials(setting_of(data)))
    tuned = next(trial for trial in trials if trial.needs and isinstance(trial, TrainingTrial))
    cache = TrialCache(tmp_path / "trials")
    before, after = (
        vitreous.load(cache.place(trial) / "run").state_dict() for trial in (tuned.start, tuned)
    )
    assert alike(before, after)
    assert (tmp_path / "five_flowers.svg").stat().st_size > 10_000


def alike(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    """Whether the encoders' kernels are the same ones, a few small steps apart."""
    kernels = [name for name in one if name.startswith("encoder.") and one[name].ndim == 2]
    assert kernels
    return all(
        torch.cosine_similarity(one[name].flatten(), other[name].flatten(), 0) > 0.99
        for name in kernels
    )


def run(setting: Setting, out: Path) -> Reproduction:
    cache, console = TrialCache(out / "trials"), Console(file=io.StringIO())
    return reproduce(EXPERIMENT, setting, out, cache, console)


def test_weights_of_googles_layout_are_where_the_vit_starts(
    data: Path, google: Path, tmp_path: Path, short: None
) -> None:
    given = run(setting_of(data, google, seeds=1), tmp_path)
    cells = given.results.row(ROWS[0])
    assert cells["accuracy"].facts[0]["started from"] == "tiny.npz"
    assert not any("CIFAR" in finding.why for finding in given.findings)
    trials = list(in_order(EXPERIMENT.trials(setting_of(data, google, seeds=1))))
    tuned = next(t for t in trials if isinstance(t, TrainingTrial) and t.start is not None)
    assert tuned.start == google
    cache = TrialCache(tmp_path / "trials")
    vits = [t for t in trials if isinstance(t, TrainingTrial) and t.config.model.attention_layers]
    trained = {t.start: vitreous.load(cache.place(t) / "run").state_dict() for t in vits}
    assert alike(vitreous.load(google).state_dict(), trained[google])
    assert not alike(vitreous.load(google).state_dict(), trained[None])
    # Other weights are another trial; the arms from random weights stay the same ones.
    without = {trial.digest for trial in in_order(EXPERIMENT.trials(setting_of(data, seeds=1)))}
    assert tuned.digest not in without


def test_the_table_is_read_across(
    data: Path, google: Path, tmp_path: Path, short: None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["reproduce", "five_flowers", "--data", str(data), "--weights", str(google)]
    assert main([*arguments, "--seeds", "2", "--jobs", "1", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = next(line for line in lines if line.startswith("ViT, pretrained (from tiny.npz)"))
    columns = ["precision", "published", "recall", "published", "F1", "published"]
    assert heading.split()[-6:] == columns
    daisy = next(line for line in lines if line.startswith("daisy"))
    assert [word for word in daisy.split() if word.startswith("0.9")][-3:] == [
        "0.966", "0.973", "0.969",
    ]  # fmt: skip
    assert "±" in daisy
    assert any(line.split()[::4] == ["accuracy", "0.956"] for line in lines)
    assert any("one RTX 3090" in line for line in lines)


def test_the_golden_recipe_of_google_runs(
    golden: Path, data: Path, tmp_path: Path, short: None
) -> None:
    found = run(setting_of(data, golden / "google_vit_token.npz", seeds=1), tmp_path)
    facts = found.results["ViT, pretrained", "accuracy"].facts[0]
    assert facts["started from"] == "google_vit_token.npz"


def test_weights_too_large_for_two_cores_are_refused(
    data: Path, google: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(five_flowers, "_MOST_FLOPS", 1e9)
    with pytest.raises(UserError, match="days on two cores: give --scale lab") as refused:
        EXPERIMENT.trials(setting_of(data, google))
    assert "\n" not in str(refused.value)


def test_lab_is_the_walk_through(data: Path, google: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from vitreous.model.variants import variant_config
    from vitreous.weights.passport import passport_of

    passport = replace(
        passport_of(vitreous.load(google)),
        architecture=variant_config("ViT-B/16", num_classes=0),
        class_names=(),
        canary=(),
    )
    passport = replace(passport, preprocessing=replace(passport.preprocessing, size=(224, 224)))
    monkeypatch.setattr(flower_weights, "read_passport", lambda path: passport)
    plan = EXPERIMENT.trials(setting_of(data, google, scale="lab"))
    arms = {trial.row: trial.start for trial in plan if trial.row}
    assert [arms[row].config.model.name for row in ROWS] == ["ViT-B/16", "ResNet-50", "ViT-B/16"]
    for arm in arms.values():
        config = arm.config
        assert (config.epochs, config.batch_size) == (200, 256)
        assert config.preprocessing.size == config.model.image_size == (224, 224)
        assert config.preprocessing.crop_fraction == 224 / 256
        assert config.augmentation.crop_area == (0.08, 1.0)
        assert config.augmentation.flip == 0.5
        assert config.tuning.train == ("head" if arm.start else "all")
        assert arm.key["data"]


def test_a_curve_is_the_mean_of_its_seeds() -> None:
    one, two = [[1.0, 2.0], [2.0, 1.0]], [[1.0, 4.0], [2.0, 1.0]]
    assert mean_curve([one, two]) == [(1.0, 3.0, pytest.approx(2**0.5)), (2.0, 1.0, 0.0)]
    assert mean_curve([one]) == [(1.0, 2.0, 0.0), (2.0, 1.0, 0.0)]


def test_paper_prints_the_published_table_and_counts_the_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["reproduce", "five_flowers", "--scale", "paper"]) == 0
    told = capsys.readouterr().out
    for value in EXPERIMENT.published.values():
        assert f"{value:.3f}" in told
    assert "a step on 1 GPU of 80 GB" in told
    assert main(["reproduce", "five_flowers", "--scale", "paper", "--json", "-"]) == 0
    vit, resnet = json.loads(capsys.readouterr().out)
    assert vit["images"] == resnet["images"] == pytest.approx(587_200, rel=1e-3)
    # A forward pass of ViT-B/16 has 17.6 thousand million multiply-adds; ResNet-50's three, 4.1.
    assert vit["exaflops"] == pytest.approx(2 * 17.6e9 * 587_200 / 1e18, rel=0.03)
    assert resnet["exaflops"] == pytest.approx(6 * 4.1e9 * 587_200 / 1e18, rel=0.05)


def outcome(accuracy: float) -> Outcome:
    return Outcome({"accuracy": accuracy})


def test_findings_go_by_the_spread() -> None:
    draw = np.random.default_rng(0)
    for gap, verdict in ((0.2, "holds"), (0.0, "not shown"), (-0.2, "does not hold")):
        results = Results(
            (row, outcome(mean + noise))
            for noise in draw.normal(0, 0.01, 3).tolist()
            for row, mean in zip(ROWS, (0.6 + gap, 0.6, 0.6 - gap), strict=True)
        )
        assert [found.verdict for found in EXPERIMENT.findings(results)] == [verdict] * 3
