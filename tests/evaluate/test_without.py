import numpy as np
import pytest

from vitreous.data.exclude import Exclusion
from vitreous.errors import UserError
from vitreous.evaluate.inference import Inference
from vitreous.evaluate.without import measure_without

# Three images named rightly, the last one wrongly.
LOGITS = np.array([[2, 0], [0, 2], [2, 0], [2, 0]], np.float32)
ANSWERS = Inference(LOGITS, np.array([0, 1, 0, 1]), np.arange(4))
NAMES = ["a", "b", "c", "d"]


def listed(*names: str) -> Exclusion:
    return Exclusion("LIST", frozenset(), frozenset(names))


def test_the_rest_is_measured_and_the_list_accounted_for() -> None:
    before = LOGITS.copy()
    rest = measure_without(ANSWERS, NAMES, ["x", "y"], listed("a", "c", "elsewhere"))
    assert rest["accuracy"] == 0.5
    assert rest["num_images"] == 2
    assert rest["excluded"] == ["a", "c"]
    assert rest["num_unknown"] == 1
    assert rest["list"] == "LIST"
    np.testing.assert_array_equal(ANSWERS.logits, before)


def test_nothing_left_is_refused() -> None:
    with pytest.raises(UserError, match="LIST names every image"):
        measure_without(ANSWERS, NAMES, ["x", "y"], listed(*NAMES))
