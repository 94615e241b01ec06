"""The published tables are the paper's, number for number."""

import re
from pathlib import Path

import pytest

from vitreous.experiments.catalogue import find_experiment
from vitreous.experiments.paper_grid import ABSENT, PaperGrid, deviation, number

# Typed from the paper a second time, line by line: models across, data sets down.
TABLE2 = """
88.55±0.04 87.76±0.03 85.30±0.02 87.54±0.02 88.4/88.5*
90.72±0.05 90.54±0.03 88.62±0.05 90.54 90.55
99.50±0.06 99.42±0.03 99.15±0.03 99.37±0.06 -
94.55±0.04 93.90±0.05 93.25±0.05 93.51±0.08 -
97.56±0.03 97.32±0.11 94.67±0.15 96.62±0.23 -
99.68±0.02 99.74±0.00 99.61±0.02 99.63±0.03 -
77.63±0.23 76.28±0.46 72.72±0.21 76.29±1.70 -
2.5k 0.68k 0.23k 9.9k 12.3k
"""
EXAFLOPS = "55 224 196 783 1567 4262 50 199 96 141 563 1126 3306 106 274 246 859 1668"

PAPER = Path(__file__).parents[2].parent / "shared" / "design" / "paper.md"


def grid_of(name: str) -> PaperGrid:
    grid = find_experiment(name).grid
    assert grid is not None
    return grid


def down(grid: PaperGrid) -> list[list[str]]:
    """Lines of the table, each from the first model to the last."""
    return [[grid.printed.get((row, line), ABSENT) for row in grid.rows] for line in grid.lines]


def test_table2_has_every_number_with_its_deviation() -> None:
    typed = [line.split() for line in TABLE2.strip().splitlines()]
    ours = [
        [re.sub(r"\s", "", text).replace(ABSENT, "-") for text in line]
        for line in down(grid_of("table2"))
    ]
    assert ours == typed
    entries = grid_of("table2").entries()
    costs = [one["value"] for one in entries if one["column"] == "TPUv3-core-days"]
    assert costs == [2500, 680, 230, 9900, 12300]
    accuracies = [one for one in entries if one["column"] != "TPUv3-core-days"]
    assert len(accuracies) == 30
    without = [(one["row"], one["column"]) for one in accuracies if "deviation" not in one]
    assert without == [
        ("BiT-L R152x4", "ReaL"),
        ("Noisy Student", "ImageNet"),
        ("Noisy Student", "ReaL"),
    ]
    assert "88.5" in " ".join(grid_of("table2").notes)
    assert "Touvron et al. 2020" in " ".join(grid_of("table2").notes)


def test_table6_has_its_cost() -> None:
    grid = grid_of("table6")
    costs = [grid.printed[row, "exaFLOPs"] for row in grid.rows]
    assert costs == EXAFLOPS.split()
    assert [len(block.headings) for block in grid.blocks] == [6, 7, 5]


def section(text: str, number: int) -> list[list[str]]:
    """The first table of a section: cells of each row below the headings."""
    part = re.search(rf"^## {number}\..*?(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert part is not None
    rows = [line for line in part[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


@pytest.fixture(scope="module")
def paper() -> str:
    if not PAPER.is_file():
        pytest.skip("the fact sheet of the paper is not beside this checkout")
    return PAPER.read_text(encoding="utf-8")


def test_table2_is_the_fact_sheets(paper: str) -> None:
    cells = [row[1:] for row in section(paper, 2)]
    assert cells == down(grid_of("table2"))


def test_table5_is_the_fact_sheets(paper: str) -> None:
    cells = [row[2:] for row in section(paper, 6)]
    grid = grid_of("table5")
    ours = [
        [grid.printed[row, line] for row in block.headings]
        for block in grid.blocks
        for line in grid.lines
    ]
    assert cells == ours


def test_table6_is_the_fact_sheets(paper: str) -> None:
    rows = [row[1:9] for row in section(paper, 7)]
    assert rows == [list(column) for column in zip(*down(grid_of("table6")), strict=True)]


def test_table9_is_the_fact_sheets(paper: str) -> None:
    part = paper[paper.index("### Table 9") :]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")][2:22]
    cells = [[cell.strip() for cell in row[2:]] for row in rows]
    assert len(cells) == 20
    assert cells == down(grid_of("table9"))


def test_the_shares_are_the_printed_numbers() -> None:
    for name in ("table2", "table5", "table6", "table9"):
        experiment = find_experiment(name)
        assert experiment.grid is not None
        for place, value in experiment.published.items():
            assert number(experiment.grid.printed[place]) == pytest.approx(100 * value)


@pytest.mark.parametrize(
    ("text", "value", "spread"),
    [
        ("88.55 ± 0.04", 88.55, 0.04),
        ("90.54", 90.54, None),
        ("88.4 / 88.5*", 88.4, None),
        ("12.3k", 12300, None),
        (ABSENT, None, None),
    ],
)
def test_numbers_of_the_paper(text: str, value: float | None, spread: float | None) -> None:
    assert number(text) == value
    assert deviation(text) == spread
