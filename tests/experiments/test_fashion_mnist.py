import pytest

from vitreous.experiments.fashion_mnist import _findings
from vitreous.experiments.results import Outcome, Results


@pytest.mark.parametrize(("worst", "verdict"), [(0.925, "holds"), (0.924, "does not hold")])
def test_every_seed_is_every_seed(worst: float, verdict: str) -> None:
    results = Results(("ViT", Outcome({"accuracy": value})) for value in (0.95, worst, 0.96))
    (found,) = _findings(results)
    assert found.verdict == verdict
    assert found.why == f"{worst:.2%} is the worst of 3"
