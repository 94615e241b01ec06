from vitreous.experiments.figure11 import _LOCAL, _NEAREST, _findings
from vitreous.experiments.results import Outcome, Results


def results_of(*models: tuple[str, str, bool, float]) -> Results:
    """Row, architecture, whether it is a hybrid, and its share of local heads."""
    return Results(
        (
            row,
            Outcome(
                {_NEAREST: 1 - local, _LOCAL: local},
                facts={"hybrid": hybrid, "architecture": architecture},
            ),
        )
        for row, architecture, hybrid, local in models
    )


def test_a_hybrid_is_compared_with_the_plain_one_of_its_size() -> None:
    large = ("large", "ViT-L/16", False, 0.5), ("large hybrid", "R50+ViT-L/16", True, 0.3)
    others = ("base", "ViT-B/32", False, 0.1), ("base hybrid", "R50+ViT-B/16", True, 0.6)
    (found,) = _findings(results_of(*others, *large))
    assert found.verdict == "holds"
    assert "in large and 70% in large hybrid" in found.why
    (alone,) = _findings(results_of(*others))
    assert alone.verdict == "not shown"
    assert "beside a plain ViT of its own size" in alone.why


def test_the_small_ones_are_a_pair() -> None:
    name = "ViT-64x6/4"
    (found,) = _findings(results_of(("small ViT", name, False, 0.2), ("h", name, True, 0.4)))
    assert found.verdict == "does not hold"
