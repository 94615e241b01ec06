"""Published tables laid out for a terminal."""

import pytest

from vitreous.cli.grid_view import Own, grid_lines
from vitreous.experiments.paper_grid import Block, PaperGrid
from vitreous.experiments.published_transfer import grid2, grid5, grid6

GRID = PaperGrid(
    blocks=(Block(headings={"a": ("A", "JFT"), "b": ("B",)}),),
    lines={"Pets": "Pets", "cost": "core-days"},
    costs=("cost",),
    printed={("a", "Pets"): "97.56 ± 0.03", ("a", "cost"): "2.5k", ("b", "Pets"): "96.62"},
)


def test_models_across_data_sets_down() -> None:
    assert list(grid_lines(GRID, room=60)) == [
        "                      A",
        "                    JFT      B",
        "Pets       97.56 ± 0.03  96.62",
        "core-days          2.5k      –",
    ]


def test_own_values_stand_beside_their_twin() -> None:
    own = [Own(name="mine", texts={"Pets": "90.00", "hours": "3"}, twin="a")]
    assert list(grid_lines(GRID, own, {"hours": "device-hours"}, room=60)) == [
        "                         A  here:",
        "                       JFT   mine      B",
        "Pets          97.56 ± 0.03  90.00  96.62",
        "core-days             2.5k             –",
        "device-hours                    3",
    ]


def test_models_without_a_row_have_a_block_of_their_own() -> None:
    own = [Own(name="mine", texts={"Pets": "90.00"})]
    lines = list(grid_lines(GRID, own, room=60))
    assert lines[5:] == [
        "here, without a published row",
        "      here:",
        "       mine",
        "Pets  90.00",
    ]


@pytest.mark.parametrize("grid", [grid2(), grid5(), grid6()])
@pytest.mark.parametrize("room", [60, 72, 80, 90, 100, 140])
@pytest.mark.parametrize("beside", [0, 1, 3, 9])
def test_no_line_is_longer_than_the_terminal(grid: PaperGrid, room: int, beside: int) -> None:
    names = [f"vit_base_patch16_224.augreg_in21k_{place}" for place in range(beside)]
    own = [
        Own(name=name, texts=dict.fromkeys(grid.accuracies, "99.00 ± 0.10"), twin=twin)
        for name in names
        for twin in (grid.rows[1], None)
    ]
    lines = list(grid_lines(grid, own, room=room))
    assert max(map(len, lines)) <= room
    text = "\n".join(lines)
    for row in grid.rows:
        for line in grid.lines:
            if (row, line) in grid.printed:
                assert grid.printed[row, line] in text
    assert text.count("99.00 ± 0.10") == len(own) * len(grid.accuracies)


def test_blocks_are_alike_in_width() -> None:
    headings = [line for line in grid_lines(grid2(), room=80) if "JFT" in line or "R152x4" in line]
    assert [len(line.split()) for line in headings] == [3, 2]
