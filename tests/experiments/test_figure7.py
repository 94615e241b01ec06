import numpy as np
import pytest

import vitreous
from vitreous.data.sources.pixels import PixelPart
from vitreous.experiments import figure7, figure11
from vitreous.experiments.results import Outcome, Results


def looked(look, **fields) -> Outcome:
    values = {
        "name": "ViT", "image_size": (16, 16), "patch": 4, "width": 16, "depth": 2,
        "mlp_width": 16, "heads": 2, "num_classes": 2,
    }  # fmt: skip
    model = vitreous.create_model(vitreous.ViTConfig(**(values | fields))).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    part = PixelPart(list("abcd"), np.zeros(4, np.int64), lambda: pixels)
    return look(model, part, 4)


@pytest.mark.parametrize("position", ["none", "relative"])
def test_positions_that_are_not_added_show_nothing(position: str) -> None:
    outcome = looked(figure7._look, position=position)
    assert not any(column.startswith("cosine") for column in outcome.values)
    found = figure7._findings(Results([("m", outcome)]))
    assert [one.verdict for one in found[:2]] == ["not shown"] * 2
    assert found[0].why == "it adds no positions to its patches"
    assert "rank correlation" in found[3].why


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_one_patch_shows_nothing() -> None:
    outcome = looked(figure7._look, patch=16)
    assert np.isfinite(list(outcome.values.values())).all()
    found = figure7._findings(Results([("m", outcome)]))
    assert [one.verdict for one in found] == ["not shown"] * 4
    assert {one.why for one in found} == {
        "its grid has no patches aside",
        "its grid has one patch, and nothing is far",
    }
    eleven = looked(figure11._look, patch=16)
    assert np.isfinite(list(eleven.values.values())).all()
    assert eleven.values[figure11._LOCAL] == 0
