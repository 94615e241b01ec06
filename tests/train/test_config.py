import json
from dataclasses import replace

import pytest

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.objective.config import MaskedPatchConfig, ObjectiveConfig
from vitreous.train.config import OptimizerConfig, ParallelConfig, ScheduleConfig, TrainConfig


def test_survives_json(make_config):
    config = make_config()
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_epochs_become_steps_and_steps_become_epochs(make_config):
    assert make_config(steps=None, epochs=3.0).with_length(1000).steps == 75
    assert make_config(steps=75).with_length(1000).epochs == 3.0
    resolved = make_config(steps=75).with_length(1000)
    assert resolved.with_length(1000) == resolved


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": None}, "give epochs or steps"),
        ({"steps": 10, "epochs": 99.0}, "disagree"),
    ],
)
def test_a_length_must_be_given_once(make_config, changes, words):
    with pytest.raises(UserError, match=words):
        make_config(**changes).with_length(1000)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"micro_batch": 0}, "micro_batch"),
        ({"steps": 0}, "steps"),
        ({"epochs": -1.0}, "epochs"),
        ({"epochs": float("nan")}, "epochs"),
        ({"epochs": float("inf")}, "epochs"),
        ({"validate_every": float("inf")}, "validate_every"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"average": 1.0}, "average"),
        ({"validation_fraction": -0.1}, "validation_fraction"),
        ({"seed": -1}, "seed"),
        ({"log_every": -1}, "log_every"),
        ({"checkpoint_seconds": float("nan")}, "checkpoint_seconds"),
        ({"keep_head": True}, "keep_head"),
    ],
)
def test_values_out_of_range_are_refused_by_name(make_config, changes, field):
    with pytest.raises(UserError, match=field):
        make_config(**changes)


@pytest.mark.parametrize(
    ("section", "changes", "field"),
    [
        (OptimizerConfig, {"name": "lamb"}, "optimizer.name"),
        (OptimizerConfig, {"learning_rate": 0.0}, "optimizer.learning_rate"),
        (OptimizerConfig, {"learning_rate": float("nan")}, "optimizer.learning_rate"),
        (OptimizerConfig, {"learning_rate": float("inf")}, "optimizer.learning_rate"),
        (OptimizerConfig, {"weight_decay": -1.0}, "optimizer.weight_decay"),
        (OptimizerConfig, {"weight_decay": float("inf")}, "optimizer.weight_decay"),
        (OptimizerConfig, {"clip": float("nan")}, "optimizer.clip"),
        (OptimizerConfig, {"momentum": 1.0}, "optimizer.momentum"),
        (OptimizerConfig, {"betas": (0.9, 1.5)}, "optimizer.betas"),
        (OptimizerConfig, {"betas": (0.9,)}, "optimizer.betas"),
        (ScheduleConfig, {"shape": "step"}, "schedule.shape"),
        (ScheduleConfig, {"warmup": 2.0}, "schedule.warmup"),
        (ScheduleConfig, {"warmup": 1.0}, "the rate would never come down"),
        (ScheduleConfig, {"final": -0.1}, "schedule.final"),
    ],
)
def test_sections_refuse_too(section, changes, field):
    with pytest.raises(UserError, match=field):
        section(**changes)


def test_unknown_fields_of_a_file_are_named(make_config):
    values = make_config().to_dict()
    values["optimizer"]["nesterov"] = True
    with pytest.raises(UserError, match=r"optimizer\.nesterov"):
        TrainConfig.from_dict(values)
    with pytest.raises(UserError, match="is no table"):
        TrainConfig.from_dict(make_config().to_dict() | {"model": 3})


def test_model_and_preprocessing_must_agree(make_config):
    values = make_config().to_dict()
    values["preprocessing"]["size"] = [9, 9]
    with pytest.raises(UserError, match="8 or 12 would work"):
        TrainConfig.from_dict(values)
    values["preprocessing"] |= {"size": [8, 8], "channels": 3, "mean": [0] * 3, "std": [1] * 3}
    with pytest.raises(UserError, match=r"preprocessing\.channels"):
        TrainConfig.from_dict(values)


def test_fixed_shapes_and_stochastic_depth_contradict(make_config):
    with pytest.raises(UserError, match=r"parallel\.compile .* model\.stochastic_depth"):
        make_config(parallel=ParallelConfig(compile=True))


@pytest.mark.parametrize("objective", [ObjectiveConfig(), MaskedPatchConfig()])
@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": ScheduleConfig(sides=(12, 8), side_starts=(0.0, 0.5))},
        {"preprocessing": Preprocessing(size=(12, 12), channels=1, mean=(0.5,), std=(0.5,))},
    ],
)
def test_positions_of_one_grid_refuse_another_before_the_run(make_config, objective, changes):
    classes = 10 if objective.supervised else 0
    model = replace(make_config().model, position="relative", patch=2, num_classes=classes)
    with pytest.raises(UserError, match="of a 4x4 grid and these images have 6x6"):
        make_config(model=model, objective=objective, **changes)
