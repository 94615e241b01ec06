import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.evaluate.real import check_truth, real_accuracy

LABELS = ((3, 5), (), (0,), *(((),) * 49_997))
NAMES = [f"val/ILSVRC2012_val_{number:08}.JPEG" for number in (1, 2, 3)]


def test_any_of_an_images_labels_is_right_and_none_leaves_it_out() -> None:
    report = real_accuracy(np.array([5, 9, 1]), NAMES, LABELS)
    assert report["accuracy"] == 0.5
    assert report["num_images"] == 2
    assert report["left_out"] == 1
    low, high = report["accuracy_interval"]
    assert low < 0.5 < high


def test_images_of_which_none_has_a_label_are_refused() -> None:
    with pytest.raises(UserError, match="no label of any"):
        real_accuracy(np.array([9]), NAMES[1:2], LABELS)


def test_classes_in_another_order_are_told_by_the_datas_own_labels() -> None:
    check_truth(np.array([3, 7, 0]), NAMES, LABELS)
    check_truth(np.array([3, 7, 9]), NAMES, LABELS)  # raters do not always agree with ImageNet
    with pytest.raises(UserError, match="0 of 2 images: .* WordNet ids"):
        check_truth(np.array([4, 0, 9]), NAMES, LABELS)
