import os

import pytest

from vitreous.train import rehearsal
from vitreous.train.config import ScheduleConfig
from vitreous.train.loop import Loop
from vitreous.train.rehearsal import rehearse
from vitreous.train.spent import operations_of_training


def test_a_plan_is_made_of_ten_steps_and_leaves_nothing(
    make_config, digits, console, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = make_config(steps=100)
    plan = rehearse(config, digits, console)
    assert plan.measured_steps == 10
    assert plan.images == {"train": 1150, "validation": 287, "test": 360}
    assert plan.flops == operations_of_training(config.model, (8, 8)) * 100 * 40
    # Pieces of 16 images were measured, and steps of 40 are told.
    assert plan.seconds == pytest.approx(100 * 40 / plan.images_per_second, rel=1e-6)
    assert plan.parameters == plan.learning > 0
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("long", "sizes"), [(0.0, [8]), (99.0, [8, 16])])
def test_pieces_grow_until_a_step_takes_long(
    make_config, digits, console, monkeypatch, long, sizes
):
    built = []

    class Noted(Loop):
        def __init__(self, config, *rest):
            built.append(config.batch_size)
            super().__init__(config, *rest)

    monkeypatch.setattr(rehearsal, "Loop", Noted)
    monkeypatch.setattr(rehearsal, "_LONG_STEP", long)
    plan = rehearse(make_config(steps=100), digits, console)
    assert built == sizes
    assert plan.measured_steps == 10
    assert plan.seconds == pytest.approx(100 * 40 / plan.images_per_second, rel=1e-6)


def test_later_sizes_cost_more_than_what_was_measured(make_config, digits, console):
    schedule = ScheduleConfig(sides=(8, 16), side_starts=(0.0, 0.5), warmup=0.0)
    plan = rehearse(make_config(steps=20, schedule=schedule), digits, console)
    assert plan.seconds > 1.5 * 20 * 40 / plan.images_per_second
    rates = plan.rates(5)
    assert rates[0] == pytest.approx(3e-3)
    assert rates == sorted(rates, reverse=True)


def test_frozen_parts_need_no_averages(make_config, digits, console, tmp_path):
    from dataclasses import replace

    from vitreous.train.run import train
    from vitreous.train.tuning import TuningConfig

    train(make_config(steps=1), digits, tmp_path / "run", console)
    config = replace(make_config(steps=2, average=0.0), weights=str(tmp_path / "run"))
    whole = rehearse(config, digits, console)
    head = rehearse(replace(config, tuning=TuningConfig(train="head")), digits, console)
    assert head.learning == 10 * 16 + 10
    assert head.memory.weights == whole.memory.weights
    assert head.memory.gradients == 4 * head.learning
    assert head.memory.optimizer == 2 * 4 * head.learning < whole.memory.optimizer
    assert head.flops < whole.flops / 2
