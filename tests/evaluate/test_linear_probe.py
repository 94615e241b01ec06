import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.evaluate.features import Labelled
from vitreous.evaluate.linear_probe import linear_probe


def labelled(count: int, seed: int, noise: float) -> Labelled:
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    features = np.eye(3, 6)[labels] + noise * draw.standard_normal((count, 6))
    return Labelled((features * 100 + 7).astype(np.float32), labels, np.arange(count))


def test_what_a_line_can_tell_is_told() -> None:
    probe = linear_probe(labelled(150, 0, 0.1), labelled(60, 1, 0.1), (1e-4, 1e-2))
    assert probe.accuracy == 1
    assert probe.l2 == 1e-2  # of equals the largest
    assert probe.sweep == {1e-4: 1.0, 1e-2: 1.0}


def test_the_sweep_chooses_on_held_out_images() -> None:
    probe = linear_probe(labelled(150, 0, 1.2), labelled(600, 1, 1.2), (1e-6, 0.1, 100.0))
    assert probe.sweep[probe.l2] == max(probe.sweep.values())
    assert 0.4 < probe.accuracy < 0.8


def test_small_sets_are_split_class_by_class() -> None:
    few = labelled(90, 0, 0.1).rows(np.array([0, 1, 2, 3, 4, 6]))  # of the last class, one
    assert linear_probe(few, labelled(60, 1, 0.1), (1e-3,)).accuracy == 1
    two_each = labelled(6, 0, 0.1)  # a fifth of all would be fewer than classes
    assert linear_probe(two_each, labelled(60, 1, 0.1), (1e-3,)).accuracy > 0.7


@pytest.mark.parametrize(
    ("rows", "words"), [([0, 1, 2], "one training image of each class"), ([0, 3], "of one class")]
)
def test_what_no_line_can_be_chosen_by_is_refused(rows: list[int], words: str) -> None:
    train = labelled(6, 0, 0.1).rows(np.array(rows))
    with pytest.raises(UserError, match=words):
        linear_probe(train, labelled(60, 1, 0.1))
