"""Checkpoints beside the rows of Tables 2, 5 and 6."""

import pytest

from vitreous.experiments.catalogue import find_experiment
from vitreous.experiments.finding import Finding
from vitreous.experiments.published_transfer import model_of, table2, table5, table6
from vitreous.experiments.results import Outcome, Results
from vitreous.model.variants import variant_config


def judged(table: str, architecture: str, measured: dict[str, float]) -> Finding:
    facts = {"architecture": architecture}
    results = Results(
        ("mine", Outcome({column: value}, facts=facts)) for column, value in measured.items()
    )
    return find_experiment(table).findings(results)[0]


@pytest.mark.parametrize("table", [table2, table5, table6])
def test_every_row_is_of_a_model_of_the_package(table) -> None:
    for row, _ in table():
        if row != "Noisy Student":
            assert variant_config(model_of(row)).name == model_of(row)


@pytest.mark.parametrize(
    ("table", "architecture", "row"),
    [
        ("table2", "BiT-R152x4", "BiT-L R152x4"),
        ("table5", "ViT-B/16", "ViT-B/16 I21k"),
        ("table6", "BiT-R50x1", "ResNet50x1, 7 epochs"),
        ("table6", "BiT-R152x2", "ResNet152x2, 14 epochs"),
        ("table6", "R50+ViT-B/16", "R50x1+ViT-B/16, 7 epochs"),
        ("table6", "ViT-L/16", "ViT-L/16, 14 epochs"),
    ],
)
def test_a_checkpoint_meets_its_row(table: str, architecture: str, row: str) -> None:
    published = find_experiment(table).published
    values = {column: value for (name, column), value in published.items() if name == row}
    found = judged(table, architecture, values)
    assert found.verdict == "holds"
    assert f"nearest in all is {row}: " in found.why


def test_one_row_is_taken_for_all_columns() -> None:
    """CIFAR-10 as from JFT-300M and Pets as from ImageNet alone are no row of the table."""
    mixed = {"CIFAR-10": 0.9900, "CIFAR-100": 0.9187, "Pets": 0.9381}
    found = judged("table5", "ViT-B/16", mixed)
    assert found.verdict == "not shown"
    assert "ViT-B/16 I21k: CIFAR-10 99.00% beside 98.95%" in found.why
    assert "Pets 93.81% beside 94.43%" in found.why


def test_models_without_a_row() -> None:
    for architecture in ("ViT-S/16", "BiT", "Noisy"):
        assert "no row" in judged("table6", architecture, {"Pets": 0.9}).why
