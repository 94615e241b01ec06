from pathlib import Path

import pytest

from vitreous.data.duplicates import Duplicate
from vitreous.data.exclude import exclude, read_exclusion, write_exclusion
from vitreous.data.sample import Dataset
from vitreous.errors import UserError

ODD_NAMES = ["a/1.jpg", 'with\ttab "and" quotes', "line\nbreak", "\udcff no text", "ü", "# five"]


def test_a_list_of_one_data_set_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "list.tsv"
    pairs = [Duplicate(1, 0, 0.95), Duplicate(2, 1, 1.0, exact=True), Duplicate(3, 5, 0.91)]
    write_exclusion(path, pairs, ODD_NAMES)
    listed = read_exclusion(str(path))
    assert listed.training == {ODD_NAMES[1], ODD_NAMES[2], ODD_NAMES[3]}
    assert listed.measuring == {*ODD_NAMES} - {ODD_NAMES[4]}


def test_a_list_between_two_keeps_their_names_apart(tmp_path: Path) -> None:
    path = tmp_path / "list.tsv"
    write_exclusion(path, [Duplicate(0, 1, 0.95, mirrored=True)], ["x", "y"], ["x", "y"])
    assert path.read_text() == "train\ttest\tsimilarity\thow\nx\ty\t0.950\tmirrored\n"
    listed = read_exclusion(str(path))
    assert (listed.training, listed.measuring) == ({"x"}, {"y"})


def test_a_list_without_pairs_excludes_nothing(tmp_path: Path) -> None:
    write_exclusion(tmp_path / "list.tsv", [], [])
    assert not read_exclusion(str(tmp_path / "list.tsv")).measuring


def test_anyones_list_of_names(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a/1.jpg\n\nb/2.jpg\tblurred\n")
    listed = read_exclusion(str(tmp_path / "mine.txt"))
    assert listed.training == listed.measuring == {"a/1.jpg", "b/2.jpg"}


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_lists_that_name_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(UserError, match="names no image: write one name a line"):
        read_exclusion(str(tmp_path / "list"))
    with pytest.raises(UserError, match="not a list that can be read .No such file"):
        read_exclusion(str(tmp_path / "gone"))


def test_exclude_leaves_the_test_part_alone(memory) -> None:
    parts = {"train": memory(count=4), "test": memory(count=4)}
    dataset = Dataset(address="D", class_names=("a", "b", "c"), parts=parts, channels=3)
    rest, names = exclude(dataset, {"001", "003", "elsewhere"}, "LIST")
    assert names == ("001", "003")
    assert rest.parts["train"].names == ["000", "002"]
    assert rest.parts["train"].labels.tolist() == [0, 2]
    assert (rest.parts["train"].read(1) == 2).all()
    assert rest.parts["test"] is parts["test"]
    assert rest.notes["excluded"] == (
        "2 images that LIST names; 1 of its names are not in what is trained on"
    )
    with pytest.raises(UserError, match="LIST names every train image of D: shorten the list"):
        exclude(dataset, {"000", "001", "002", "003"}, "LIST")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a/1.jpg\nb/2.jpg\n", encoding="utf-8-sig")
    assert read_exclusion(str(tmp_path / "mine.txt")).training == {"a/1.jpg", "b/2.jpg"}
