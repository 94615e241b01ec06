"""Folders with VTAB-1k's lists."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from small_sets import write_sets
from vitreous.data.open import open_dataset
from vitreous.errors import UserError


def test_parts_names_and_labels(tmp_path: Path) -> None:
    folder = write_sets(tmp_path) / "dsprites_loc"
    (folder / "train800val200.txt").write_text("not read where the two are there")
    dataset = open_dataset(folder)
    assert {name: len(part.labels) for name, part in dataset.parts.items()} == {
        "train": 160, "validation": 40, "test": 100,
    }  # fmt: skip
    assert dataset.class_names == ("0", "1")
    first = (folder / "val200.txt").read_text().split()[:2]
    part = dataset.parts["validation"]
    assert [part.names[0], str(part.labels[0])] == first
    assert part.read(0).shape == (8, 8, 1)


def test_the_whole_is_train_where_it_stands_alone(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / f"a {number}.png")
    (folder / "train800val200.txt").write_text("a 0.png 12\na 1.png 3\n\n")
    dataset = open_dataset(folder)
    assert list(dataset.parts) == ["train"]
    assert list(dataset.parts["train"].names) == ["a 0.png", "a 1.png"]
    assert dataset.parts["train"].labels.tolist() == [12, 3]
    assert dataset.num_classes == 13


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.png", "train800.txt, line 1: 'a.png': write a path and a class number"),
        ("a.png -1", "write a path and a class number"),
        ("a.png 0\n../b.png 1", r"line 2: ../b.png climbs out"),
        ("a.png 0\na.png 1", "a.png is listed twice"),
        ("", "its lists are empty"),
        (b"\xff\xfe 0", "write it as UTF-8"),
    ],
)
def test_broken_lists(tmp_path: Path, text: str | bytes, words: str) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "train800.txt").write_bytes(data)
    with pytest.raises(UserError, match=words):
        open_dataset(tmp_path)


def test_numbers_of_products_are_names_and_no_count_of_classes(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "train800.txt").write_text(f"0.png {10**30}\n1.png 3\n")
    dataset = open_dataset(tmp_path)
    assert dataset.class_names == ("3", str(10**30))
    assert dataset.parts["train"].labels.tolist() == [1, 0]
