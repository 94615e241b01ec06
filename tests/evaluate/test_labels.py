import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.evaluate.labels import match_classes


@pytest.mark.parametrize(
    ("model", "data", "places"),
    [
        (["a", "b", "c"], ["a", "b", "c"], [0, 1, 2]),
        (["c", "a", "b"], ["a", "b", "c"], [1, 2, 0]),
        (["a", "b", "c"], ["c", "a"], [2, 0]),
        (["crane", "b", "crane"], ["crane", "b", "crane"], [0, 1, 2]),
        (["0", "1", "2"], ["a", "b", "c"], [0, 1, 2]),
        (["a", "b", "c"], ["0", "1", "2"], [0, 1, 2]),
        (["2", "1", "0"], ["0", "1", "2"], [2, 1, 0]),
        ([str(n) for n in range(12)], [str(n) for n in range(3)], [0, 1, 2]),
    ],
)
def test_places(model: list[str], data: list[str], places: list[int]) -> None:
    matched = match_classes(model, data)
    assert matched.dtype == np.int64
    assert matched.tolist() == places


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (["a", "b"], ["a", "z"]),
        (["a", "b"], ["a", "b", "c"]),
        (["a", "b", "c"], ["0", "1"]),
        (["a", "b"], ["1", "0"]),
    ],
)
def test_a_class_that_the_model_never_learnt(model: list[str], data: list[str]) -> None:
    words = rf"knows {len(model)} classes \({', '.join(model)}\).*{len(data)} classes \({data[0]}"
    with pytest.raises(UserError, match=words):
        match_classes(model, data)


def test_long_lists_are_cut() -> None:
    with pytest.raises(UserError, match=r"1000 classes \(0, 1, 2, 3, 4, \.\.\.\) and the data"):
        match_classes([str(n) for n in range(1000)], ["cat"])
