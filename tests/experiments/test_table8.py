from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.table8 import _PUBLISHED, _findings


def test_a_lead_of_having_none_is_no_margin() -> None:
    """Without positions the model leads by far, and the others differ by a third of that."""
    means = {place: 0.60 + 0.004 * number for number, place in enumerate(_PUBLISHED)}
    means["none", "stem"] = 0.70
    results = Results(
        (row, Outcome({column: mean + 0.001 * seed}))
        for seed in range(3)
        for (row, column), mean in means.items()
    )
    assert [found.verdict for found in _findings(results)] == ["does not hold", "does not hold"]
