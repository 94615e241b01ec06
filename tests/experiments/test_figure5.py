import pytest

from vitreous.experiments.figure5 import at_compute, shared_range
from vitreous.experiments.results import Outcome, Results


def test_between_two_models_the_line_is_straight_over_the_logarithm() -> None:
    measured = (
        ("ViT", "small", 1e12, (0.5, 0.6)),
        ("ViT", "large", 1e14, (0.7, 0.9)),
        ("ResNet", "small", 1e13, (0.5, 0.5)),
        ("ResNet", "large", 1e15, (0.9, 0.9)),
    )
    results = Results(
        (row, Outcome({column: value}, flops=flops))
        for row, column, flops, values in measured
        for value in values
    )
    assert at_compute(results, "ViT", 1e13).values == pytest.approx((0.6, 0.75))
    assert at_compute(results, "ViT", 1e14).values == pytest.approx((0.7, 0.9))
    assert shared_range(results, "ViT", "ResNet") == (1e13, 1e14)
