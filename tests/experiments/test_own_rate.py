from vitreous.experiments.own_rate import own_rate
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.table7 import _findings


def outcome(rate: str, test: float, validation: float | None) -> Outcome:
    curve = [] if validation is None else [[1, 0.0], [8, validation]]
    return Outcome({rate: test}, facts={"curve": curve})


def test_the_last_validation_chooses_by_its_mean_over_seeds_and_not_the_test() -> None:
    table = [("0.1", 0.9, 0.5), ("0.1", 0.9, 0.8), ("0.3", 0.7, 0.7), ("0.3", 0.7, 0.7)]
    results = Results(("SGD", outcome(*entry)) for entry in table)
    assert own_rate(results, "SGD") == "0.3"


def test_without_validation_the_test_stands_in() -> None:
    results = Results(("SGD", outcome(rate, test, None)) for rate, test in (("1", 0.2), ("2", 0.1)))
    assert own_rate(results, "SGD") == "1"


def test_table7_compares_each_optimiser_at_its_own_rate() -> None:
    results = Results(
        (f"{size}, {optimizer}", outcome(rate, test + noise, validation))
        for noise in (-0.001, 0.0, 0.001)
        for size, lead in (("small", 0.1), ("large", -0.1))
        for optimizer, rate, test, validation in (
            ("Adam", "0.001", 0.99, 0.1),
            ("Adam", "0.01", 0.5 + lead, 0.9),
            ("SGD", "0.03", 0.5, 0.9),
            ("SGD", "0.3", 0.99, 0.1),
        )
    )
    small, large = _findings(results)
    assert small.claim == "Adam (0.01) is better than SGD (0.03) for the small ResNet"
    assert (small.verdict, large.verdict) == ("holds", "does not hold")
