from statistics import stdev

import pytest

from vitreous.experiments.results import Outcome, Results


def test_seeds_are_gathered_into_cells_in_the_order_of_the_plan() -> None:
    results = Results(
        [
            ("ViT", Outcome({"1000": 0.5, "2000": 0.6}, seconds=2, flops=10)),
            ("ResNet", Outcome({"1000": 0.7}, seconds=1, flops=30)),
            ("ViT", Outcome({"1000": 0.54}, seconds=4, flops=10)),
        ]
    )
    assert list(results.cells) == [("ViT", "1000"), ("ViT", "2000"), ("ResNet", "1000")]
    assert results.rows == ["ViT", "ResNet"]
    cell = results["ViT", "1000"]
    assert cell.values == (0.5, 0.54)
    assert cell.mean == pytest.approx(0.52)
    assert cell.spread == pytest.approx(stdev((0.5, 0.54)))
    assert cell.seconds == 3
    assert list(results.row("ViT")) == ["1000", "2000"]
    assert results["ResNet", "1000"].spread == 0
    assert ("ResNet", "2000") not in results
