import pytest

from vitreous.model.cost import multiply_adds
from vitreous.model.variants import variant_config
from vitreous.train.schedule import Phase
from vitreous.train.spent import Spent


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
    small, large = (60 * multiply_adds(model, (side, side)) for side in (32, 64))
    assert [spent.flops(step) for step in (0, 1, 2, 4)] == [
        0,
        small,
        2 * small,
        2 * small + 2 * large,
    ]
    assert spent.device_hours(1800) == 2
