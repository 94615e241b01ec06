"""Trials on VTAB's tasks, whatever the checkpoints are called."""

import shutil
from pathlib import Path

import pytest

import vitreous
from small_sets import write_sets
from vitreous.experiments.cache import TrialCache, in_order
from vitreous.experiments.checkpoints import checkpoints
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Setting
from vitreous.experiments.results import Results
from vitreous.experiments.vtab import MeanTrial, present_tasks, task_trials


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    write_sets(tmp_path / "data")
    (tmp_path / "weights").mkdir()
    config = vitreous.ViTConfig(
        name="ViT", image_size=(8, 8), patch=4, width=16, depth=1, mlp_width=16, heads=2,
        num_classes=2,
    )  # fmt: skip
    vitreous.save(vitreous.create_model(config), tmp_path / "weights" / "first.safetensors")
    collection = Collection(tmp_path / "data")
    return Setting(scale="pocket", seeds=1, data=collection, weights=tmp_path / "weights")


def measure(setting: Setting, cache: TrialCache) -> Results:
    """All tasks, and their mean, of each checkpoint."""
    models = checkpoints(setting.weights)
    tasks = task_trials(setting, models)
    means = [
        MeanTrial(row=name, column="mean", tasks=[one for one in tasks if one.row == name])
        for name in models
    ]
    trials = [*tasks, *means]
    for trial in in_order(trials):
        if cache.read(trial) is None:
            cache.run(trial)
    return Results((trial.row, cache.whole(trial)) for trial in trials)


def test_results_are_shared_by_content_and_told_by_name(setting: Setting, tmp_path: Path) -> None:
    cache = TrialCache(tmp_path / "trials")
    first = measure(setting, cache).row("first")
    ran = len(list(cache.folder.iterdir()))
    file = setting.weights / "first.safetensors"
    file = file.rename(setting.weights / "second.safetensors")
    shutil.copy(file, setting.weights / "third.safetensors")
    again = measure(setting, cache)
    assert len(list(cache.folder.iterdir())) == ran == 4, "three tasks and a mean"
    assert again.rows == ["second", "third"]
    assert again.row("second") == again.row("third") == first


def test_sets_beside_the_folder_of_vtab_count_too(setting: Setting) -> None:
    root = setting.data.folder
    everywhere = list(present_tasks(setting))
    assert len(everywhere) == 3
    (root / "vtab-1k").mkdir()
    assert list(present_tasks(setting)) == everywhere
    shutil.copytree(root / "svhn", root / "vtab-1k" / "svhn")
    found = {task.name: address for task, address in present_tasks(setting).items()}
    assert found.keys() == {task.name for task in everywhere}
    assert Path(found["SVHN"]).parent.name == "vtab-1k"
    assert present_tasks(Setting(scale="pocket", seeds=1, data=Collection(root / "no"))) == {}
