"""Checkpoints beside the rows of Tables 2, 5 and 6."""

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import vitreous
from vitreous.errors import UserError
from vitreous.evaluate.vtab_tasks import TASKS
from vitreous.experiments.cache import TrialCache
from vitreous.experiments.catalogue import find_experiment
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Setting
from vitreous.experiments.finding import Finding
from vitreous.experiments.published_transfer import VTAB, model_of, table2, table5, table6
from vitreous.experiments.reproduce import Reproduction, reproduce
from vitreous.experiments.results import Outcome, Results
from vitreous.model.variants import variant_config
from vitreous.train import vtab
from vitreous.train.config import TrainConfig
from vitreous.train.overrides import override
from vitreous.train.recipes.catalogue import RECIPES
from vitreous.train.recipes.facts import Facts
from vitreous.train.recipes.finetuning import finetune


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    sizes = {"patch": 4, "width": 16, "depth": 1, "mlp_width": 16, "heads": 2}
    config = vitreous.ViTConfig(
        name="ViT-B/16", **sizes, num_classes=2, channels=3, image_size=(16, 16)
    )
    vitreous.save(vitreous.create_model(config), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def done(table: str, data: Path, weights: Path, out: Path) -> Reproduction:
    setting = Setting(scale="pocket", seeds=1, data=Collection(data), weights=weights)
    cache, console = TrialCache(out / "trials"), Console(file=io.StringIO())
    return reproduce(find_experiment(table), setting, out, cache, console)


def write_task(folder: Path, seed: int) -> None:
    """Light and dark images; a tenth of those that are measured are called what they are not."""
    draw = np.random.default_rng(seed)
    for part, count in (("train800", 20), ("val200", 10), ("test", 20)):
        for index in range(count):
            label = index % 2
            shown = 1 - label if part == "test" and index < 2 * seed else label
            pixels = draw.integers(128, size=(8, 8, 3)) + 128 * shown
            file = folder / part / "ab"[label] / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(file)


def judged(
    table: str, architecture: str, measured: dict[str, float], finetuned: str | bool = "finetune"
) -> Finding:
    facts = {"architecture": architecture, "finetuned": finetuned}
    results = Results(
        ("mine", Outcome({column: value}, facts=facts)) for column, value in measured.items()
    )
    return find_experiment(table).findings(results)[0]


@pytest.mark.parametrize("table", [table2, table5, table6])
def test_every_row_is_of_a_model_of_the_package(table) -> None:
    for row, _ in table():
        if row != "Noisy Student":
            assert variant_config(model_of(row)).name == model_of(row)


@pytest.mark.parametrize(
    ("table", "architecture", "row"),
    [
        ("table2", "BiT-R152x4", "BiT-L R152x4"),
        ("table5", "ViT-B/16", "ViT-B/16 I21k"),
        ("table6", "BiT-R50x1", "ResNet50x1, 7 epochs"),
        ("table6", "BiT-R152x2", "ResNet152x2, 14 epochs"),
        ("table6", "R50+ViT-B/16", "R50x1+ViT-B/16, 7 epochs"),
        ("table6", "ViT-L/16", "ViT-L/16, 14 epochs"),
    ],
)
def test_a_checkpoint_meets_its_row(table: str, architecture: str, row: str) -> None:
    published = find_experiment(table).published
    values = {column: value for (name, column), value in published.items() if name == row}
    found = judged(table, architecture, values)
    assert found.verdict == "holds"
    assert f"nearest in all is {row}: " in found.why


def test_only_fine_tuning_in_every_column_can_be_the_papers() -> None:
    published = find_experiment("table5").published
    row = {column: value for (name, column), value in published.items() if name == "ViT-L/16 JFT"}
    probed = judged("table5", "ViT-L/16", row, finetuned=False)
    assert probed.verdict == "not shown"
    assert "a linear probe here, fine-tuning there" in probed.why
    del row["Pets"], row["ReaL"]
    some = judged("table5", "ViT-L/16", row)
    assert some.verdict == "not shown"
    assert some.why.endswith("not measured: ReaL, Pets")


def test_one_row_is_taken_for_all_columns() -> None:
    """CIFAR-10 as from JFT-300M and Pets as from ImageNet alone are no row of the table."""
    mixed = {"CIFAR-10": 0.9900, "CIFAR-100": 0.9187, "Pets": 0.9381}
    found = judged("table5", "ViT-B/16", mixed)
    assert found.verdict == "not shown"
    assert "ViT-B/16 I21k: CIFAR-10 99.00% beside 98.95%" in found.why
    assert "Pets 93.81% beside 94.43%" in found.why


def test_models_without_a_row() -> None:
    for architecture in ("ViT-S/16", "BiT", "Noisy"):
        assert "no row" in judged("table6", architecture, {"Pets": 0.9}).why


def test_vtab_is_the_mean_of_all_tasks(weights: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, task in enumerate(TASKS[1:]):
        write_task(data / "vtab-1k" / task.folder, number % 2)
    with pytest.raises(UserError, match="none of"):
        done("table2", data, weights, tmp_path / "few")
    write_task(data / "vtab-1k" / TASKS[0].folder, 0)
    found = done("table2", data, weights, tmp_path / "out")
    assert set(found.results.cells) == {("weights", VTAB)}
    tasks = done("table9", data, weights, tmp_path / "out").results  # nothing is measured again
    each = [tasks["weights", task.name].mean for task in TASKS]
    assert len(set(each)) > 1
    assert found.results["weights", VTAB].mean == pytest.approx(np.mean(each))
    trials = [
        json.loads(f.read_text())["key"] for f in (tmp_path / "out").glob("trials/*/key.json")
    ]
    assert sorted(key["kind"] for key in trials) == ["vtab linear"] * 19 + ["vtab mean"]
    assert "no row" in found.findings[0].why, "Table 2 has no ViT-B/16"


def write_imagenet(folder: Path) -> None:
    draw = np.random.default_rng(0)
    wnids = ("n01440764", "n01443537")
    (folder / "val").mkdir(parents=True)
    for label, wnid in enumerate(wnids):
        (folder / "train" / wnid).mkdir(parents=True)
        for number in range(10):
            pixels = (draw.integers(128, size=(8, 8, 3)) + 128 * label).astype(np.uint8)
            image = Image.fromarray(pixels)
            image.save(folder / "train" / wnid / f"{wnid}_{number}.JPEG")
            image.save(folder / "val" / f"ILSVRC2012_val_{2 * number + label + 1:08}.JPEG")
    rows = [f"ILSVRC2012_val_{number + 1:08}.JPEG {number % 2}" for number in range(20)]
    (folder / "val.txt").write_text("\n".join(rows))


def test_real_beside_imagenet(weights: Path, tmp_path: Path) -> None:
    """Of 20 images ReaL says nothing of 4, and calls 4 by the other class alone."""
    data = tmp_path / "data"
    write_imagenet(data / "imagenet")
    plain = done("table5", data, weights, tmp_path / "plain")
    assert set(plain.results.cells) == {("weights", "ImageNet")}
    assert "ReaL (ImageNet, and real.json beside it)" in plain.findings[-1].why
    own = [[] if at < 4 else [1 - at % 2] if at < 8 else [at % 2, 9] for at in range(20)]
    (data / "real.json").write_text(json.dumps(own + [[]] * 49_980))
    found = done("table5", data, weights, tmp_path / "out").results
    assert found["weights", "ImageNet"].mean == 1
    assert found["weights", "ReaL"].mean == 12 / 16


def test_classes_that_real_does_not_know_are_refused_first(weights: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_imagenet(data / "imagenet")
    (data / "real.json").write_text(json.dumps([[7]] * 50_000))
    with pytest.raises(UserError, match="0 of 20 images: .* WordNet ids"):
        done("table6", data, weights, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_table2_takes_larger_images_for_imagenet(weights: Path, tmp_path: Path) -> None:
    write_imagenet(tmp_path / "imagenet")
    setting = Setting(scale="lab", seeds=2, data=Collection(tmp_path), weights=weights)
    recipes = {
        table: {trial.recipe for trial in find_experiment(table).trials(setting)}
        for table in ("table2", "table5")
    }
    assert recipes == {"table2": {"finetune-512"}, "table5": {"finetune"}}


def test_fine_tuned(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's way, with fewer and smaller steps than it has there."""
    write_imagenet(tmp_path / "imagenet")

    def short(facts: Facts) -> TrainConfig:
        fields = {"steps": "3", "batch_size": "8", "model.image_size": "16"}
        return override(finetune(facts), fields)

    monkeypatch.setitem(RECIPES, "finetune", short)
    setting = Setting(scale="lab", seeds=1, data=Collection(tmp_path), weights=weights)
    (trial,) = find_experiment("table6").trials(setting)
    outcome = TrialCache(tmp_path / "trials").run(trial)
    report = json.loads((tmp_path / "trials" / trial.digest / "run/report.json").read_text())
    assert outcome.values == {"ImageNet": pytest.approx(report["accuracy"])}
    assert report["num_images"] == 20


def test_a_task_fine_tuned(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS[0]
    write_task(tmp_path / task.folder, 0)
    fields = {"steps": "3", "batch_size": "8", "model.image_size": "16"}
    short = partial(vtab.finetune_task, fields=fields)
    monkeypatch.setattr(vtab, "finetune_task", short)
    setting = Setting(scale="lab", seeds=1, data=Collection(tmp_path), weights=weights)
    (trial,) = find_experiment("table9").trials(setting)
    outcome = TrialCache(tmp_path / "trials").run(trial)
    assert outcome.facts["num_images"] == 20
    assert outcome.values[task.name] == outcome.facts["accuracy"]
    told = find_experiment("table9").findings(Results([("weights", outcome)]))[0].why
    assert "both fine-tuned" in told
