from vitreous.experiments.figure3 import findings, gap
from vitreous.experiments.results import Outcome, Results


def results_of(vit: dict[str, list[float]], resnet: dict[str, list[float]]) -> Results:
    return Results(
        (row, Outcome({column: value}))
        for row, table in (("ViT", vit), ("ResNet", resnet))
        for column, values in table.items()
        for value in values
    )


def test_the_gap_is_taken_seed_by_seed() -> None:
    results = results_of({"300": [0.5, 0.7]}, {"300": [0.6, 0.75]})
    assert [round(value, 9) for value in gap(results, "300").values] == [0.1, 0.05]


def test_verdicts() -> None:
    vit = {"300": [0.60, 0.61, 0.62], "1500": [0.7] * 3, "30000": [0.89, 0.895, 0.9]}
    resnet = {"300": [0.70, 0.71, 0.72], "1500": [0.78] * 3, "30000": [0.91, 0.915, 0.92]}
    assert [one.verdict for one in findings(results_of(vit, resnet))] == ["holds", "holds"]
    verdicts = [one.verdict for one in findings(results_of(resnet, vit))]
    assert verdicts == ["does not hold", "does not hold"]
