import numpy as np
import pytest

from vitreous.report.holdings import class_balance, image_sizes


def test_bars_stand_one_after_the_other() -> None:
    counts = {"train": np.array([5, 0, 9]), "test": np.array([1, 2, 0])}
    axes = class_balance(counts, ["a", "b $x$", "c"]).axes[0]
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert bars == [(0, 5), (0, 0), (0, 9), (5, 1), (0, 2), (9, 0)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b $x$", "c"]


def test_many_classes_are_a_curve() -> None:
    axes = class_balance({"train": np.arange(500)}, [str(n) for n in range(500)]).axes[0]
    assert not axes.patches
    assert axes.get_xlabel() == "classes, the largest first"


@pytest.mark.parametrize("sizes", [[[4, 4]], [[10, 20], [10, 20], [300, 20]]])
def test_each_size_is_a_dot(sizes: list[list[int]]) -> None:
    axes = image_sizes(np.array(sizes)).axes[0]
    (dots,) = axes.collections
    unique = {(wide, high) for high, wide in sizes}
    assert {tuple(dot) for dot in dots.get_offsets().tolist()} == unique
    areas = dots.get_sizes()
    assert areas.max() == areas[0] or len(unique) == 1
