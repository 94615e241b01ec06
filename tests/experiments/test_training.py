import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from vitreous.data.split import Subset
from vitreous.errors import UserError
from vitreous.experiments.cache import TrialCache
from vitreous.experiments.small import small_resnet, small_vit, training
from vitreous.experiments.training import FewShotTrial, TrainingTrial
from vitreous.model.cost import multiply_adds
from vitreous.train import memory
from vitreous.train.objectives import with_objective
from vitreous.train.tuning import TuningConfig
from vitreous.weights.load import load


def trial_of(tiny, **changes) -> TrainingTrial:
    model = small_vit(tiny, patch=4, width=16, depth=1)
    config = training(tiny, model, images_seen=120, batch_size=20)
    return TrainingTrial(**({"row": "ViT", "config": config, "dataset": tiny} | changes))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny):
    """A cache with one trial in it."""
    cache = TrialCache(tmp_path_factory.mktemp("trials"))
    trial = trial_of(tiny)
    return cache, trial, cache.run(trial)


def test_a_run_gives_its_accuracy_and_cost(finished, tiny) -> None:
    cache, trial, outcome = finished
    assert 0 <= outcome.values["accuracy"] <= 1
    # Nothing learns what the patches themselves should have been: 4 of 16 pixels, 16 wide.
    assert outcome.flops == 120 * (6 * multiply_adds(trial.config.model) - 2 * 4 * 16 * 16)
    assert outcome.seconds > 0
    assert len(outcome.facts["classes"]) == 10
    assert outcome.facts["threads"] == torch.get_num_threads()
    assert outcome.facts["device"] in ("cpu", "cuda")
    assert outcome.facts["precision"] in ("float32", "bfloat16")
    left = {path.name for path in (cache.place(trial) / "run").iterdir()}
    assert {"model.safetensors", "config.json", "report.json"} <= left
    assert "checkpoints" not in left


def test_the_same_trial_gives_the_same_values(finished, tmp_path, tiny) -> None:
    assert TrialCache(tmp_path).run(trial_of(tiny)).values == finished[2].values


def test_what_decides_the_result_is_in_the_digest_and_nothing_else(tiny) -> None:
    trial = trial_of(tiny)
    machine = replace(trial.config, readers=3, cache_mb=9, checkpoint_seconds=1, device="cpu")
    moved = replace(tiny, address="/elsewhere/digits")
    same = [trial_of(tiny, config=machine), trial_of(tiny, dataset=moved)]
    assert {one.digest for one in same} == {trial.digest}
    longer = replace(trial.config, steps=7)
    others = [
        trial_of(tiny, seed=1),
        trial_of(tiny, config=longer),
        trial_of(tiny, start=trial),
        trial_of(tiny, column="other"),
    ]
    assert len({trial.digest, *(one.digest for one in others)}) == 5


def test_a_run_that_was_stopped_goes_on(finished, tmp_path, tiny) -> None:
    """A killed trial leaves its run folder, without an outcome."""
    cache, trial, outcome = finished
    again = TrialCache(tmp_path)
    shutil.copytree(cache.place(trial), again.place(trial))
    (again.place(trial) / "outcome.json").unlink()
    assert again.read(trial) is None
    assert again.run(trial).values == outcome.values


def test_it_goes_on_where_data_and_cache_have_been_moved(finished, tmp_path, tiny) -> None:
    cache, start, _ = finished
    tuned = trial_of(tiny, start=start, seed=1)
    outcome = cache.run(tuned)
    again = TrialCache(tmp_path)
    for trial in (start, tuned):
        shutil.copytree(cache.place(trial), again.place(trial))
    (again.place(tuned) / "outcome.json").unlink()
    moved = replace(tiny, address="/elsewhere/digits")
    assert again.run(trial_of(moved, start=start, seed=1)).values == outcome.values


def test_few_shot_and_fine_tuning_start_from_the_trained_weights(finished, tiny) -> None:
    cache, trial, _ = finished
    probe = FewShotTrial(row="ViT", start=trial, dataset=tiny, shots=2, draws=3)
    outcome = cache.run(probe)
    assert len(outcome.facts["of draws"]) == 3
    assert cache.whole(probe).flops == trial.flops
    tuned = trial_of(tiny, start=trial, seed=1)
    assert 0 <= cache.run(tuned).values["accuracy"] <= 1
    config = (cache.place(tuned) / "run" / "config.json").read_text()
    assert trial.digest in config


def test_a_training_starts_from_the_users_checkpoint(finished, tmp_path, tiny) -> None:
    cache, trial, _ = finished
    file = tmp_path / "given.safetensors"
    shutil.copy(cache.place(trial) / "run" / "model.safetensors", file)
    config = replace(trial.config, weights="given", tuning=TuningConfig(train="head"))
    tuned = trial_of(tiny, config=config, start=file)
    assert not tuned.needs
    again = TrialCache(tmp_path / "trials")
    again.run(tuned)
    before = load(file).state_dict()
    after = load(again.place(tuned) / "run").state_dict()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == {"head.weight", "head.bias"}
    copy = tmp_path / "copy.safetensors"
    shutil.copy(file, copy)
    assert trial_of(tiny, config=config, start=copy).digest == tuned.digest
    shutil.copy(cache.place(trial) / "run" / "config.json", copy)
    with pytest.raises(UserError, match="copy.safetensors"):
        trial_of(tiny, config=config, start=copy).check()


def test_data_in_files_are_told_apart_by_names_labels_and_some_pixels(tiny) -> None:
    def of(places) -> str:
        parts = {name: Subset([part], np.asarray(places)) for name, part in tiny.parts.items()}
        return trial_of(replace(tiny, parts=parts)).key["data"]

    assert of(range(40)) == of(range(40))
    assert len({of(range(40)), of(range(39)), of(range(40)[::-1])}) == 3


@pytest.mark.parametrize("objective", ["masked_patch", "mae"])
def test_pretraining_without_labels_has_no_value_of_its_own(tmp_path, tiny, objective) -> None:
    model = small_vit(tiny, patch=2, width=16, depth=1, class_token=False, pooling="mean")
    config = training(tiny, model, images_seen=60, batch_size=20)
    start = trial_of(tiny, row="", config=with_objective(config, objective))
    cache = TrialCache(tmp_path)
    outcome = cache.run(start)
    assert outcome.values == {}
    assert outcome.flops > 0
    tuned = trial_of(tiny, config=config, start=start)
    assert 0 <= cache.run(tuned).values["accuracy"] <= 1


def test_what_does_not_fit_is_refused_before_it_is_run(tiny, monkeypatch) -> None:
    trial_of(tiny).check()
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(UserError, match="are free: take a smaller model"):
        trial_of(tiny).check()


def test_the_small_resnet_takes_the_data(tiny) -> None:
    model = small_resnet(tiny, (1, 1), 8)
    assert model.grid == (4, 4)
    assert model.num_classes == 10
