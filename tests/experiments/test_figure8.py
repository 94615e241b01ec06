import pytest

from vitreous.experiments.figure8 import slope
from vitreous.experiments.results import Outcome, Results


def test_the_slope_is_by_doublings_of_compute() -> None:
    rows = (("0.5", 1e12, (0.6, 0.7)), ("2", 4e12, (0.8, 0.8)))
    results = Results(
        ("depth", Outcome({column: value}, flops=flops))
        for column, flops, values in rows
        for value in values
    )
    assert slope(results, "depth").values == pytest.approx((0.1, 0.05))
