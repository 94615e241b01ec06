import numpy as np
import pytest

from vitreous.data.groups import (
    groups_across_parts,
    groups_in_names,
    share_of_groups,
    with_named_groups,
)
from vitreous.data.open import open_dataset
from vitreous.data.reading import ReadingOptions
from vitreous.data.split import with_validation
from vitreous.errors import UserError


@pytest.fixture
def patients(tmp_path):
    """A table of ten patients of four images each, two of either class."""
    from PIL import Image

    rows = ["path,label,patient_id"]
    for number in range(40):
        name = f"p{number // 4:02}_{number % 4}.png"
        Image.new("L", (8, 8), number).save(tmp_path / name)
        rows.append(f"{name},{'ab'[number % 2]},{number // 4}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    return tmp_path / "table.csv"


def parts_of_groups(dataset):
    return {
        part: {dataset.groups[name] for name in images.names}
        for part, images in dataset.parts.items()
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"group_column": "patient_id"},
        {"group_column": "Patient ID"},
        {"group_from_name": r"^(p\d+)_", "group_column": "none"},
    ],
)
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_split_keeps_groups_together_and_classes_balanced(patients, options, fraction, seed):
    dataset = open_dataset(patients, ReadingOptions(**options))
    split = with_validation(dataset, fraction, seed)
    groups = parts_of_groups(split)
    assert not groups["train"] & groups["validation"]
    assert len(split.parts["validation"].labels) == 40 * fraction
    assert np.bincount(split.parts["validation"].labels).tolist() == [20 * fraction] * 2
    assert "whole groups" in split.notes["validation"]
    assert not groups_across_parts(split)


def test_without_groups_the_split_is_by_image(patients):
    split = with_validation(open_dataset(patients, ReadingOptions(group_column="none")))
    assert not split.groups
    assert "stratified, seed" in split.notes["validation"]


def test_a_class_of_one_group_stays_in_training():
    labels = np.array([0] * 8 + [1] * 2 + [0] * 8)
    groups = [f"g{number // 2}" for number in range(18)]
    for seed in range(5):
        chosen = share_of_groups(groups, labels, 2, 0.3, seed)
        assert not set(chosen.tolist()) & {8, 9}
        assert len(chosen)


def test_several_labels_are_shared_out_too():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, (200, 4)).astype(np.uint8)
    groups = [str(number // 5) for number in range(200)]
    chosen = share_of_groups(groups, labels, 4, 0.25, 0)
    share = labels[chosen].sum(0) / labels.sum(0)
    assert np.abs(share - 0.25).max() < 0.06


def test_one_group_of_all_cannot_be_split(patients):
    text = patients.read_text().splitlines()
    rows = [text[0], *(line.rpartition(",")[0] + ",same" for line in text[1:])]
    patients.write_text("\n".join(rows))
    dataset = open_dataset(patients, ReadingOptions(group_column="patient_id"))
    with pytest.raises(UserError, match="all images to train on are of one group .*same"):
        with_validation(dataset)


@pytest.mark.parametrize(
    ("expression", "message"),
    [("^p", "one group of all images"), ("^nobody", "no two images of one group")],
)
def test_patterns_that_make_no_groups(patients, expression, message):
    with pytest.raises(UserError, match=message):
        open_dataset(patients, ReadingOptions(group_from_name=expression))


def test_groups_across_given_parts_are_counted(patients):
    lines = patients.read_text().splitlines()
    rows = [lines[0] + ",split", *(f"{line},{'train test'.split()[number % 4 == 0]}"
                                   for number, line in enumerate(lines[1:]))]  # fmt: skip
    patients.write_text("\n".join(rows))
    across = groups_across_parts(open_dataset(patients))
    assert len(across) == 10
    assert across["0"] == ["train", "test"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([f"patient{n // 3}_s{n % 3}.png" for n in range(12)], 4),
        ([f"cat/Subject 0{n // 4} ({n}).png" for n in range(12)], 3),
        ([f"video-{n // 6}/frame{n}.jpg" for n in range(12)], 2),
        ([f"patient{n}.png" for n in range(12)], None),
        ([f"img{n}.png" for n in range(12)], None),
    ],
)
def test_names_that_speak_of_groups(names, expected):
    found = groups_in_names(names)
    assert (found and found[1]) == expected
    if found is not None:
        options = ReadingOptions(group_from_name=found[0])
        assert options.group_from_name


def test_nothing_asked_is_nothing_done(patients):
    dataset = open_dataset(patients)
    assert with_named_groups(dataset, ReadingOptions()) is dataset
