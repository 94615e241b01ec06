import json
import tracemalloc
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.data.open import open_dataset
from vitreous.data.sample import Dataset
from vitreous.data.split import Subset, apply_split, split_record, with_validation
from vitreous.errors import UserError


class Shelf:
    """A part whose pixels tell the image."""

    def __init__(self, names: list[str], labels: list[int]) -> None:
        self.names, self.labels = names, np.array(labels, np.int64)

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        return np.full((min_side or 1, 1, 1), index, np.uint8)


def dataset(counts: list[int], part: str = "train", prefix: str = "") -> Dataset:
    names = [f"{prefix}{label}/{i:03d}" for label, n in enumerate(counts) for i in range(n)]
    labels = [label for label, n in enumerate(counts) for _ in range(n)]
    return Dataset(
        address="DATA",
        class_names=tuple(f"class{label}" for label in range(len(counts))),
        parts=MappingProxyType({part: Shelf(names, labels)}),
        channels=1,
    )


def shuffled(data: Dataset, seed: int) -> Dataset:
    part = data.parts["train"]
    order = np.random.default_rng(seed).permutation(len(part.names))
    mixed = Shelf([part.names[i] for i in order], part.labels[order].tolist())
    return Dataset(address="DATA", class_names=data.class_names, parts={"train": mixed}, channels=1)


def members(data: Dataset) -> dict[str, set[str]]:
    return {name: set(part.names) for name, part in data.parts.items()}


@given(
    st.lists(st.integers(2, 30), min_size=2, max_size=8),
    st.floats(0.01, 0.99),
    st.integers(0, 2**32 - 1),
)
def test_every_class_gives_its_share_and_keeps_one(counts, fraction, seed):
    data = dataset(counts)
    split = with_validation(data, fraction, seed)
    train, validation = split.parts["train"], split.parts["validation"]
    assert set(train.names) | set(validation.names) == set(data.parts["train"].names)
    assert not set(train.names) & set(validation.names)
    given_ = np.bincount(validation.labels, minlength=len(counts))
    kept = np.bincount(train.labels, minlength=len(counts))
    for label, n in enumerate(counts):
        assert given_[label] + kept[label] == n
        assert min(given_[label], kept[label]) >= 1
        assert abs(given_[label] - fraction * n) <= 0.5 or min(given_[label], kept[label]) == 1


def test_names_labels_and_pixels_stay_together():
    data = dataset([10, 10])
    split = with_validation(data)
    whole = data.parts["train"]
    for part in (split.parts["train"], split.parts["validation"]):
        assert part.names == sorted(part.names)  # the order of the whole
        for index, name in enumerate(part.names):
            at = whole.names.index(name)
            assert part.labels[index] == whole.labels[at]
            assert part.read(index)[0, 0, 0] == at
            assert part.read(index, 7).shape == (7, 1, 1)


def test_the_order_of_files_does_not_matter():
    data = dataset([12, 7, 30])
    expected = members(with_validation(data, seed=3))
    for seed in range(5):
        assert members(with_validation(shuffled(data, seed), seed=3)) == expected


def test_a_wrapping_folder_does_not_matter():
    bare = members(with_validation(dataset([12, 7])))
    wrapped = members(with_validation(dataset([12, 7], prefix="set/")))
    assert wrapped == {part: {f"set/{n}" for n in names} for part, names in bare.items()}


def test_the_choice_never_changes():
    names = with_validation(dataset([10, 5]), seed=0).parts["validation"].names
    assert names == ["0/002", "0/008", "1/002"]


def test_another_seed_gives_another_split():
    data = dataset([40, 40])
    assert members(with_validation(data, seed=0)) == members(with_validation(data, seed=0))
    assert members(with_validation(data, seed=0)) != members(with_validation(data, seed=1))


def test_a_new_image_moves_no_image_of_another_class():
    before = members(with_validation(dataset([20, 20])))["validation"]
    after = members(with_validation(dataset([20, 21])))["validation"]
    assert {n for n in before if n.startswith("0/")} == {n for n in after if n.startswith("0/")}


@pytest.mark.parametrize("part", ["test", "validation"])
def test_without_training_nothing_is_split(part):
    data = dataset([3, 3], part)
    assert with_validation(data) is data


def test_a_validation_part_or_no_fraction_is_left_as_it_is():
    data = dataset([3, 3])
    assert with_validation(data, fraction=0.0) is data
    split = with_validation(data)
    assert with_validation(split) is split


def test_other_parts_pass_and_the_note_says_what_was_done():
    digits = open_dataset("digits")
    split = with_validation(digits)
    assert {name: len(part.names) for name, part in split.parts.items()} == {
        "train": 1150,
        "test": 360,
        "validation": 287,
    }
    assert split.parts["test"] is digits.parts["test"]
    assert split.notes["validation"] == "287 of 1437 train images, stratified, seed 0"


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([5, 1, 5], "DATA: 1 image only of class class1, and training and validation need one"),
        ([1] * 5, r"of class class0, class1, class2 and 2 more, and"),
        ([5], r"DATA: only one class \(class0\)"),
        ([5, 0], r"DATA: only one class \(class0\)"),
    ],
)
def test_classes_too_small_to_split(counts, message):
    with pytest.raises(UserError, match=message) as caught:
        with_validation(dataset(counts))
    assert "\n" not in str(caught.value)


def test_a_class_without_images_is_no_obstacle():
    split = with_validation(dataset([5, 0, 5]))
    assert np.bincount(split.parts["validation"].labels).tolist() == [1, 0, 1]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_fraction_out_of_range(fraction):
    with pytest.raises(UserError, match=r"fraction .* is not in \[0, 1\)"):
        with_validation(dataset([5, 5]), fraction)


def test_record_restores_the_split_from_json():
    data = dataset([9, 14, 3])
    split = with_validation(data, 0.3, seed=5)
    record = json.loads(json.dumps(split_record(split)))
    assert list(record) == ["train", "validation"]
    again = apply_split(shuffled(data, 1), record)
    assert split_record(again) == record
    for name, part in split.parts.items():
        np.testing.assert_array_equal(again.parts[name].labels, part.labels)
    moved = again.parts["validation"]
    whole = shuffled(data, 1).parts["train"]
    assert [moved.read(i)[0, 0, 0] for i in range(3)] == [
        whole.names.index(name) for name in moved.names[:3]
    ]


def test_record_may_join_parts():
    split = with_validation(dataset([4, 4]))
    record = {"train": [*split.parts["validation"].names, *split.parts["train"].names]}
    assert apply_split(split, record).parts["train"].names == record["train"]


def test_record_of_images_that_are_gone():
    record = split_record(with_validation(dataset([9, 9])))
    with pytest.raises(UserError, match=r"DATA: 8 images .* \(.*, \.\.\.\): put them back, or"):
        apply_split(dataset([5, 5]), record)
    with pytest.raises(UserError, match=r"1 images .* \(0/008\): put"):
        apply_split(dataset([8, 9]), record)


def test_images_new_since_the_record_are_left_out_and_counted():
    record = split_record(with_validation(dataset([5, 5])))
    again = apply_split(dataset([7, 5]), record)
    assert split_record(again) == record
    assert again.notes["left out"] == "2 images that the recorded split does not name"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "split: parts are none: name them train, validation, test"),
        ({"dev": ["0/000"]}, "split: parts are dev"),
        ({"train": ["0/000"], "test": ["0/000"]}, "split: 0/000 is named twice"),
    ],
)
def test_records_that_are_none(record, message):
    with pytest.raises(UserError, match=message):
        apply_split(dataset([2, 2]), record)


def test_subset_is_a_part_in_any_order():
    part = Shelf(["a", "b", "c"], [0, 1, 2])
    subset = Subset([part], np.array([2, 0]))
    assert subset.names == ["c", "a"]
    assert subset.names[-1:] == ["a"]
    assert subset.names != ["a", "c"]
    assert subset.labels.tolist() == [2, 0]
    assert subset.labels.dtype == np.int64
    assert Subset([part], np.zeros(0, np.int64)).labels.dtype == np.int64


def test_subset_of_two_parts_in_turns():
    first, second = Shelf(["a", "b"], [0, 1]), Shelf(["c", "d"], [2, 3])
    subset = Subset([first, second], np.array([1, 0, 0]), np.array([1, 0, 1], np.uint8))
    assert subset.names == ["d", "a", "c"]
    assert subset.labels.tolist() == [3, 0, 2]
    assert [subset.read(index).item() for index in range(3)] == [1, 0, 0]


def test_a_subset_holds_numbers_and_no_objects():
    names = [f"{number:07d}" for number in range(100_000)]
    part = Shelf(names, [0] * len(names))
    part.labels = np.zeros((len(names), 20), np.uint8)
    tracemalloc.start()
    subset = Subset([part], np.arange(len(names)))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert subset.names[99_999] == "0099999"
    assert held < 30 * len(names)  # 20 of them labels


def test_flower_photos(shared_data):
    data = open_dataset(shared_data / "flower_photos_240.tar")
    split = with_validation(data)
    counts = {name: np.bincount(part.labels).tolist() for name, part in split.parts.items()}
    assert counts["validation"] == [127, 180, 128, 140, 160]
    assert counts["train"] == [506, 718, 513, 559, 639]
    assert split_record(apply_split(data, split_record(split))) == split_record(split)


def test_a_seed_of_more_bits_than_scikit_learn_takes():
    data = dataset([10, 5])
    assert members(with_validation(data, seed=2**32 + 3)) == members(with_validation(data, seed=3))
