from vitreous.experiments.figure9 import _findings
from vitreous.experiments.results import Outcome, Results


def results_of(table: dict[tuple[str, str], tuple[float, float]]) -> Results:
    """Two seeds of a test accuracy, and the validation accuracy that chooses."""
    return Results(
        (row, Outcome({rate: test + seed}, facts={"curve": [[1, 0.1], [12, validation]]}))
        for seed in (0.0, 0.002)
        for (row, rate), (test, validation) in table.items()
    )


def test_rates_are_chosen_by_validation_and_never_by_test() -> None:
    results = results_of(
        {
            ("class token", "0.001"): (0.80, 0.9),
            ("class token", "0.003"): (0.99, 0.8),
            ("mean", "0.001"): (0.70, 0.7),
            ("mean", "0.003"): (0.801, 0.9),
        }
    )
    same, own = _findings(results)
    assert "class token (0.001) and mean (0.003)" in same.claim
    assert same.verdict == "holds"
    assert own.verdict == "holds"


def test_one_rate_for_both_is_told() -> None:
    results = results_of(
        {
            ("class token", "0.001"): (0.8, 0.9),
            ("class token", "0.003"): (0.8, 0.8),
            ("mean", "0.001"): (0.7, 0.9),
            ("mean", "0.003"): (0.7, 0.8),
        }
    )
    same, own = _findings(results)
    assert same.verdict == "does not hold"
    assert own.verdict == "not shown"
    assert "validation chose 0.001 for both" in own.why
