"""Layouts that people have, by folders alone: what is a part, a class, or neither."""

import pytest

from vitreous.data.reading import ReadingOptions
from vitreous.data.sources.tree import Tree, class_tree
from vitreous.errors import UserError


def grown(folders: str, **options: str) -> Tree:
    """The tree of some folders with three images each, named by numbers."""
    files = [f"{folder}/{number:03}.jpg" for folder in folders.split() for number in range(3)]
    return class_tree(files, "DATA", ReadingOptions(**options))


def read(tree: Tree) -> dict[str, set[str]]:
    """Part -> its classes."""
    parts: dict[str, set[str]] = {}
    for entry in tree.entries:
        parts.setdefault(entry.part, set()).add(entry.class_name)
    return parts


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("training_set", "valid", "test_set"),
        ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
        ("Train", "Val", "TEST"),
        ("asl_alphabet_train/asl_alphabet_train", "asl_alphabet_val", "asl_alphabet_test"),
        ("train2017", "val2017", "test2017"),
        ("trainset", "validationset", "testset"),
        ("TrainImages", "ValImages", "TestImages"),
        ("images/training", "images/validation", "images/testing"),
        ("set/set/train-data", "set/set/valid-data", "set/set/test-data"),
        ("bounding_box_train", "bounding_box_val", "bounding_box_test"),
        ("train/images", "dev/images", "holdout/images"),
    ],
)
def test_words_for_parts(train, validation, test):
    folders = " ".join(f"{part}/{name}" for part in (train, validation, test) for name in "ab")
    tree = grown(folders)
    assert not tree.reading.doubt
    assert read(tree) == {"train": {"a", "b"}, "validation": {"a", "b"}, "test": {"a", "b"}}
    assert tree.notes == {}


def test_parts_inside_the_classes():
    tree = grown("cat/train cat/test dog/train dog/test")
    assert read(tree) == {"train": {"cat", "dog"}, "test": {"cat", "dog"}}
    assert "folders test/ in the classes is test" in tree.reading.parts


@pytest.mark.parametrize(
    "folders",
    [
        "valid invalid",
        "train car plane",
        "mask no_mask",
        "with_mask without_mask",
        "labels_ok labels_missing",
        "0 1 2",
    ],
)
def test_classes_whose_names_sound_like_parts_or_masks(folders):
    tree = grown(folders)
    assert not tree.reading.doubt
    assert read(tree) == {"train": set(folders.split())}


@pytest.mark.parametrize(
    ("folders", "ignored"),
    [
        ("chest/train/a chest/train/b chest/test/a chest/chest/train/a chest/chest/train/b "
         "chest/chest/test/a", "copies"),
        ("flowers/a flowers/b flowers/flowers/a flowers/flowers/b", "copies"),
        ("train/a train/b test1", "unlabelled"),
        ("seg_train/a seg_train/b seg_pred/seg_pred", "unlabelled"),
        ("train/a train/b test/test", "unlabelled"),
        ("train/a train/b test/unknown", "unlabelled"),
        ("train/a train/b unlabeled", "unlabelled"),
        ("a/images a/masks b/images b/masks", "masks"),
        ("images/a images/b annotations/a annotations/b", "masks"),
        ("inputs/a inputs/b targets/a targets/b", "masks"),
        ("train/a/image train/a/label train/b/image train/b/label", "masks"),
    ],
)  # fmt: skip
def test_folders_that_are_left_out_and_said(folders, ignored):
    tree = grown(folders)
    assert not tree.reading.doubt
    assert read(tree)["train"] == {"a", "b"}
    assert set(tree.notes) == {ignored}
    assert tree.notes[ignored].startswith("ignored ")


@pytest.mark.parametrize(
    "name", ["x_mask.png", "x (1)_mask.png", "x_segmentation.png", "x-gt_1.png"]
)
def test_masks_beside_their_images(name):
    stem = name.partition("_")[0].partition("-")[0]
    files = [
        f"{folder}/{file}" for folder in "ab" for file in (name, f"{stem}.jpg", "face_mask.jpg")
    ]
    tree = class_tree(files, "DATA")
    assert sorted({entry.name[2:] for entry in tree.entries}) == ["face_mask.jpg", f"{stem}.jpg"]
    assert tree.notes == {
        "mask files": "ignored 2 files that look like masks of the images beside them"
    }


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        ("color/a color/b gray/a gray/b", "--layout leaf"),
        ("set/original/a set/original/b set/augmented/a set/augmented/b", "set/augmented/"),
        ("fold1/a fold1/b fold2/a fold2/b fold3/a fold3/b", "fold1/"),
        ("mammal/cat mammal/dog bird/owl bird/hen", "--layout classes takes bird/ and mammal/"),
        ("cat dog wild/lion wild/tiger", "wild/ holds folders of its own (lion, tiger)"),
        ("train/wild/lion train/wild/tiger train/pet/cat train/pet/dog", "--layout leaf"),
        ("train/a train/b val/a valid/a", "--validation-folder"),
        ("train/a train/b extra/a extra/b", "--layout parts"),
        ("steam_train bullet_train", "--layout classes"),
        ("Real Fake test", "--test-folder test"),
        ("cat dog test_images", "--test-folder test_images"),
        ("cat dog validation", "--validation-folder validation"),
        ("cat dog train_images", "--layout classes"),
        ("cat dog test/cat test/dog", "--test-folder test takes all others as training"),
        ("train/a train/b odd/x odd/y", "--layout parts leaves it out"),
        ("mask incorrect none", "--layout classes"),
    ],
)
def test_two_readings_are_both_named(folders, words):
    tree = grown(folders)
    assert tree.reading.asks
    assert words in tree.reading.doubt
    assert "\n" not in tree.reading.doubt


@pytest.mark.parametrize(
    ("folders", "options", "expected"),
    [
        ("color/a color/b gray/a gray/b", {"layout": "classes"}, {"train": {"color", "gray"}}),
        ("mammal/cat mammal/dog bird/owl", {"layout": "leaf"}, {"train": {"cat", "dog", "owl"}}),
        ("train/x/cat train/x/dog val/y/cat", {"layout": "leaf"},
         {"train": {"cat", "dog"}, "validation": {"cat"}}),
        ("training_set/a test_set/a", {"layout": "classes"},
         {"train": {"training_set", "test_set"}}),
        ("train/a train/b extra/a", {"layout": "parts"}, {"train": {"a", "b"}}),
        ("one/a one/b two/a two/b", {"train_folder": "one", "test_folder": "two"},
         {"train": {"a", "b"}, "test": {"a", "b"}}),
        ("cat dog test", {"test_folder": "test"}, {"train": {"cat", "dog"}}),
        ("cat dog test", {"layout": "classes"}, {"train": {"cat", "dog", "test"}}),
        ("cat dog test/cat test/dog", {"test_folder": "test"},
         {"train": {"cat", "dog"}, "test": {"cat", "dog"}}),
        ("a b odd/a", {"test_folder": "DATA/odd"}, {"train": {"a", "b"}, "test": {"a"}}),
        ("train/a train/b val/a valid/b",
         {"train_folder": "train", "validation_folder": "valid"},
         {"train": {"a", "b"}, "validation": {"b"}}),
    ],
)  # fmt: skip
def test_options_decide(folders, options, expected):
    tree = grown(folders, **options)
    assert not tree.reading.doubt
    assert read(tree) == expected


def test_a_folder_of_the_same_classes_and_other_images_is_no_copy():
    files = [f"{name}/{n}.jpg" for name in ("a", "b") for n in "123"]
    more = [f"more/{name}/{n}.jpg" for name in ("a", "b") for n in "456"]
    reading = class_tree([*files, *more], "DATA").reading
    assert reading.asks
    assert "more/ holds folders of its own (a, b)" in reading.doubt


def test_a_folder_that_is_not_there_is_refused_by_name():
    with pytest.raises(UserError, match="no images in --test-folder odd/: give a folder inside"):
        grown("a b", test_folder="odd")


@pytest.mark.parametrize(
    ("files", "expression", "expected"),
    [
        ("train/cat.1.jpg train/dog.2.jpg test1/3.jpg", "^(cat|dog)", {"train": {"cat", "dog"}}),
        ("pug_1.jpg pug_2.jpg Main_Coon_3.jpg", r"^(.+)_\d+", {"train": {"pug", "Main_Coon"}}),
        ("val/a-1.png train/b-2.png", "^[ab]", {"train": {"b"}, "validation": {"a"}}),
    ],
)
def test_labels_in_file_names(files, expression, expected):
    tree = class_tree(files.split(), "DATA", ReadingOptions(label_from_name=expression))
    assert not tree.reading.doubt
    assert read(tree) == expected
    missed = sum("3.jpg" in name and "test1" in name for name in files.split())
    assert ("names" in tree.notes) == bool(missed)


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        ("train/ test1/", ["cat.0.jpg", "cat.1.jpg", "cat.2.jpg", "dog.0.jpg", "dog.1.jpg"]),
        (
            "",
            ["tabby cat (1).jpg", "tabby cat (2).jpg", "pug (1).jpg", "pug (2).jpg"],
        ),
        ("images/", ["oak_001.png", "oak_002.png", "elm_001.png", "elm_2.png", "elm_3.png"]),
    ],
)
def test_labels_that_names_seem_to_hold_are_asked_about(folders, names):
    files = [folder + name for folder in folders.split(" ") for name in names]
    reading = class_tree(files, "DATA").reading
    assert reading.asks
    assert "--label-from-name" in reading.doubt
    expression = reading.doubt.partition("--label-from-name '")[2].partition("'")[0]
    found = class_tree(files, "DATA", ReadingOptions(label_from_name=expression))
    assert len({entry.class_name for entry in found.entries}) == 2


@pytest.mark.parametrize("prefix", ["IMG_", "DSC", "", "frame"])
def test_names_of_cameras_hold_no_labels(prefix):
    reading = class_tree([f"{prefix}{number:04}.jpg" for number in range(9)], "DATA").reading
    assert reading.doubt
    assert not reading.asks


def test_an_expression_that_fits_nothing():
    with pytest.raises(UserError, match="finds no label in any name, such as a/1.jpg"):
        class_tree(["a/1.jpg"], "DATA", ReadingOptions(label_from_name="^dog"))


def test_names_in_two_unicode_forms_are_one_class():
    tree = class_tree(["train/K\u00e4se/1.jpg", "test/Ka\u0308se/2.jpg"], "DATA")
    assert read(tree) == {"train": {"K\u00e4se"}, "test": {"K\u00e4se"}}
    assert tree.entries[0].name == "test/Ka\u0308se/2.jpg"  # the file is where it is


def test_folders_of_systems_are_not_looked_at():
    files = ["a/1.jpg", "b/2.jpg", "__MACOSX/a/1.jpg", "x/__MACOSX/1.jpg", "a/@eaDir/1.jpg/T.jpg"]
    tree = class_tree(files, "DATA")
    assert [entry.name for entry in tree.entries] == ["a/1.jpg", "b/2.jpg"]
