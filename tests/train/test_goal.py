import numpy as np
import pytest

from vitreous.train.goal import class_weights


def test_rare_classes_weigh_more_and_the_mean_over_images_is_one():
    labels = np.array([0] * 6 + [1] * 3 + [3])
    weights = class_weights(labels, 4)
    assert weights[0] == pytest.approx(10 / 18)
    assert weights[3] / weights[0] == pytest.approx(6)
    assert float(weights[labels].mean()) == pytest.approx(1)


def test_presence_weighs_by_the_images_without():
    rows = np.array([[1, 1], [0, 1], [0, 1], [0, 1]], np.uint8)
    assert class_weights(rows, 2).tolist() == pytest.approx([3, 0.01])


def test_a_class_without_images_weighs_one():
    assert class_weights(np.array([0, 0, 0, 1]), 3)[2] == 1
    assert class_weights(np.zeros((50, 1), np.uint8), 1).tolist() == [1]
