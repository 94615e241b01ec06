import pytest

from vitreous.data.reading import UNLABELLED
from vitreous.data.sources.tree import class_tree
from vitreous.errors import UserError


def listed(*files: str) -> list[tuple[str, str, str]]:
    tree = class_tree(files, "DATA")
    assert not tree.reading.doubt
    return [tuple(entry) for entry in tree.entries]


def test_class_folders_are_one_part():
    assert listed("dog/2.jpg", "cat/1.jpg") == [
        ("cat/1.jpg", "train", "cat"),
        ("dog/2.jpg", "train", "dog"),
    ]


@pytest.mark.parametrize(
    ("folder", "part"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("val", "validation"),
        ("VALID", "validation"),
        ("validation", "validation"),
        ("Test", "test"),
        ("testing", "test"),
    ],
)
def test_part_folders_in_any_spelling(folder, part):
    assert listed(f"{folder}/cat/1.jpg") == [(f"{folder}/cat/1.jpg", part, "cat")]


def test_three_parts():
    found = listed("train/a/1.png", "val/a/2.png", "test/b/3.png", "train/b/4.png")
    assert [(part, name) for _, part, name in found] == [
        ("test", "b"),
        ("train", "a"),
        ("train", "b"),
        ("validation", "a"),
    ]


@pytest.mark.parametrize("around", ["set/", "set/inner/"])
@pytest.mark.parametrize("inside", ["cat/1.jpg dog/2.jpg", "train/cat/1.jpg val/cat/2.jpg"])
def test_wrapping_folders_are_passed_through(around, inside):
    bare = listed(*inside.split())
    wrapped = listed(*(around + name for name in inside.split()), f"{around}LICENSE.txt")
    assert [row[1:] for row in wrapped] == [row[1:] for row in bare]
    assert [row[0] for row in wrapped] == [around + row[0] for row in bare]


def test_one_class_folder_is_not_a_wrapper():
    assert listed("cat/1.jpg", "cat/2.jpg") == [
        ("cat/1.jpg", "train", "cat"),
        ("cat/2.jpg", "train", "cat"),
    ]


def test_folders_inside_a_class_belong_to_it():
    assert [row[2] for row in listed("cat/old/1.jpg", "cat/2.jpg", "dog/x/y/3.jpg")] == [
        "cat",
        "cat",
        "dog",
    ]


def test_train_may_be_a_class_of_vehicles():
    assert [row[1:] for row in listed("train/1.jpg", "plane/2.jpg", "car/3.jpg")] == [
        ("train", "car"),
        ("train", "plane"),
        ("train", "train"),
    ]


def test_other_files_are_ignored_and_counted():
    tree = class_tree(
        ["a/1.jpg", "b/2.JPEG", "LICENSE.txt", "a/x.txt", "a/Thumbs.db", "README", "cover.png"],
        "DATA",
    )
    assert [entry.name for entry in tree.entries] == ["a/1.jpg", "b/2.JPEG"]
    assert tree.notes == {
        "other files": "ignored 2 .txt, 1 .db, 1 no ending",
        "outside": "ignored 1 images outside the class folders",
    }


def test_hidden_files_are_ignored_in_silence():
    tree = class_tree(
        ["a/1.jpg", "b/2.jpg", "a/._1.jpg", ".cache/a/3.jpg", "__MACOSX/a/._1.jpg", "a/.DS_Store"],
        "DATA",
    )
    assert [entry.name for entry in tree.entries] == ["a/1.jpg", "b/2.jpg"]
    assert tree.notes == {}


def test_names_are_in_plain_order():
    assert [row[0] for row in listed("a/10.jpg", "a/9.jpg", "a/B.jpg", "a/a.jpg")] == [
        "a/10.jpg",
        "a/9.jpg",
        "a/B.jpg",
        "a/a.jpg",
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no images in it: put each class's images"),
        (["readme.txt", "b.txt"], r"no images in it \(only 2 \.txt\)"),
    ],
)
def test_trees_without_images(files, message):
    with pytest.raises(UserError, match=message) as caught:
        class_tree(files, "DATA")
    assert str(caught.value).startswith("DATA: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "message", "asks"),
    [
        (["1.jpg", "2.jpg"], "2 images but no class folders in it: put each class's", False),
        (["train/1.jpg", "val/2.jpg"], "2 images but no class folders in its part folders", False),
        (["train/a/1.jpg", "Training/a/2.jpg"], "both Training/ and train/ are train: keep", True),
        (["train/a/1.jpg", "extra/a/2.jpg"], "extra/ lies beside the part folder train/", True),
        (["train/1.jpg", "plane/2.jpg"], "--layout classes takes them as classes", True),
        (["a/1.jpg", "b/1.jpg", *(f"{n}.jpg" for n in range(9))], "9 images lie outside", True),
    ],
)
def test_trees_whose_labels_are_in_doubt_are_images_without_labels(files, message, asks):
    tree = class_tree(files, "DATA")
    assert message in tree.reading.doubt
    assert tree.reading.asks == asks
    assert {entry.class_name for entry in tree.entries} == {UNLABELLED}
    assert "\n" not in tree.reading.doubt
