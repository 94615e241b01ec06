from dataclasses import replace

import pytest

from vitreous.model.cost import multiply_adds
from vitreous.model.variants import variant_config
from vitreous.train.config import ParallelConfig
from vitreous.train.schedule import Phase
from vitreous.train.spent import Spent, operations_of_training
from vitreous.train.tuning import TuningConfig


def test_the_papers_exaflops():
    """Table 6: 7 epochs of 303 million images cost ViT-B/16 224, ViT-L/32 196 exaFLOPs."""
    for name, exaflops in (("ViT-B/16", 224), ("ViT-L/32", 196), ("ViT-H/14", 4262 / 2)):
        steps = 7 * 303_000_000 // 4096
        model = variant_config(name, num_classes=0)
        spent = Spent(model, [Phase(0, steps, (224, 224))], batch_size=4096)
        assert spent.flops(steps) / 1e18 == pytest.approx(exaflops, rel=0.015)


def test_each_phase_costs_its_own():
    model = variant_config("ViT-Ti/16", num_classes=0, depth=1, image_size=32)
    spent = Spent(model, [Phase(0, 2, (32, 32)), Phase(2, 5, (64, 64))], 10, devices=4)
    small, large = (10 * operations_of_training(model, (side, side)) for side in (32, 64))
    assert [spent.flops(step) for step in (0, 1, 2, 4)] == [
        0,
        small,
        2 * small,
        2 * small + 2 * large,
    ]
    assert spent.device_hours(1800) == 2


SMALL = variant_config("ViT-Ti/16", num_classes=10, depth=4, image_size=64)
FORWARD = 2 * multiply_adds(SMALL)


def share(config=SMALL, tuning="all", every=0):
    """Of three forward passes of the whole model."""
    operations = operations_of_training(
        config,
        (64, 64),
        TuningConfig(train=tuning),
        ParallelConfig(activation_checkpointing=every),
    )
    return operations / (3 * FORWARD)


def test_there_and_back_is_three_times_there():
    """Less the gradient of the pixels, which nobody needs."""
    assert 0.97 < share() < 1


def test_stochastic_depth_is_counted_as_if_nothing_were_left_out():
    assert share(replace(SMALL, stochastic_depth=0.3)) == share()


def test_what_is_frozen_is_not_counted():
    assert share(tuning="head") == pytest.approx(1 / 3, rel=0.01)
    # Gradients of tokens are needed, gradients of kernels are not.
    assert share(tuning="bias") == pytest.approx(2 / 3, rel=0.08)
    assert 1 / 3 < share(tuning="last_blocks") < share(tuning="lora") < share()


def test_recomputed_blocks_are_counted_again():
    once, half, all_of_them = (share(every=every) for every in (0, 2, 1))
    assert all_of_them - once == pytest.approx(1 / 3, rel=0.1)
    assert half - once == pytest.approx((all_of_them - once) / 2)


def test_dropped_patches_are_not_counted():
    dropped = replace(SMALL, patch_dropout=0.5)
    assert 0.45 < share(dropped) < 0.6
    assert share(dropped, every=1) - share(dropped) == pytest.approx(9 / 17 / 3, rel=0.1)
