"""Folders whose labels are in tables: Hugging Face, Roboflow, COCO and Kaggle."""

import json

import pytest

from vitreous.data.open import open_dataset
from vitreous.data.reading import ReadingOptions
from vitreous.errors import UserError

NAMES = [f"{number:02}.png" for number in range(6)]
CATS = ["cat", "dog"] * 3


def labelled(names):
    return list(zip(names, CATS, strict=False))


def csv(header, rows):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)])


def jsonl(rows):
    return "\n".join(json.dumps({"file_name": name, "label": label}) for name, label in rows)


def one_hot(rows):
    bits = [(name, int(label == "cat"), int(label == "dog")) for name, label in rows]
    return "\n".join(["filename, cat, dog", *(", ".join(map(str, row)) for row in bits)])


def coco(rows):
    return json.dumps(
        {
            "images": [{"id": place, "file_name": name} for place, (name, _) in enumerate(rows)],
            "annotations": [
                {"image_id": place, "category_id": int(label == "dog")}
                for place, (_, label) in enumerate(rows)
            ],
            "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
        }
    )


KINDS = {
    "metadata.csv": lambda rows: csv("file_name,label", rows),
    "metadata.jsonl": jsonl,
    "_classes.csv": one_hot,
    "_annotations.coco.json": coco,
    "labels.csv": lambda rows: csv("image,class", rows),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parts", [("train", "test"), ("train", "valid", "test"), ("Train",)])
def test_a_table_in_each_part(plant, kind, parts):
    root = plant([f"{part}/{part[0]}{name}" for part in parts for name in NAMES])
    for part in parts:
        (root / part / kind).write_text(KINDS[kind](labelled([part[0] + n for n in NAMES])))
    dataset = open_dataset(root)
    assert dataset.class_names == ("cat", "dog")
    assert [len(images.labels) for images in dataset.parts.values()] == [6] * len(parts)
    assert dataset.parts["train"].labels.tolist() == [0, 1] * 3
    assert (dataset.parts["train"].read(2) == 2).all()
    assert kind in dataset.reading.classes


@pytest.mark.parametrize("kind", KINDS)
def test_one_table_at_the_top(plant, kind):
    names = [f"images/{name}" for name in NAMES]
    root = plant(names)
    (root / kind).write_text(KINDS[kind](labelled(names)))
    assert open_dataset(root).parts["train"].names == names


def test_a_part_without_a_table_is_said(plant):
    root = plant([f"{part}/{part}{name}" for part in ("train", "test") for name in NAMES])
    rows = labelled([f"train{name}" for name in NAMES])
    (root / "train" / "metadata.csv").write_text(csv("file_name,label", rows))
    dataset = open_dataset(root)
    assert list(dataset.parts) == ["train"]
    assert dataset.notes["unnamed"] == "ignored 6 images that no table names"


def test_a_competition(plant):
    """Ids without ending; the files of test are called as those of train; a sample to hand in."""
    root = plant([f"{part}/{name}" for part in ("test", "train") for name in NAMES])
    rows = labelled([name.removesuffix(".png") for name in NAMES])
    (root / "train.csv").write_text(csv("id,breed", rows))
    (root / "test.csv").write_text(csv("id", [row[:1] for row in rows]))
    (root / "sample_submission.csv").write_text(csv("id,breed", rows))
    for address in (root, root / "train.csv"):
        part = open_dataset(address).parts["train"]
        assert part.names == [f"train/{name}" for name in NAMES]
        assert (part.read(0) == 6).all()


def test_two_tables_are_asked_about(plant):
    root = plant(NAMES)
    for name in ("a.csv", "b.csv"):
        (root / name).write_text(csv("path,label", labelled(NAMES)))
    with pytest.raises(UserError, match=r"a.csv and b.csv could each give its labels: give one"):
        open_dataset(root)
    assert len(open_dataset(root / "b.csv").parts["train"].names) == 6


def test_class_folders_and_a_sidecar_are_asked_about(plant):
    names = [f"{'xy'[place % 2]}/{name}" for place, name in enumerate(NAMES)]
    root = plant(names)
    (root / "metadata.csv").write_text(csv("file_name,label", labelled(names)))
    with pytest.raises(UserError, match="--layout classes takes the folders, --layout table the"):
        open_dataset(root)
    assert open_dataset(root, ReadingOptions(layout="classes")).class_names == ("x", "y")
    assert open_dataset(root, ReadingOptions(layout="table")).class_names == ("cat", "dog")
    assert open_dataset(root, ReadingOptions(label_column="label")).class_names == ("cat", "dog")


def test_other_tables_beside_class_folders_are_left_alone(plant):
    root = plant([f"{'xy'[place % 2]}/{name}" for place, name in enumerate(NAMES)])
    (root / "notes.csv").write_text("who,when\nme,today\n")
    dataset = open_dataset(root)
    assert dataset.class_names == ("x", "y")
    assert dataset.notes == {"other files": "ignored 1 .csv"}


@pytest.mark.parametrize("text", ["file_name,text\n00.png,a caption\n01.png,another\n", "\x00\xff"])
def test_tables_without_labels_leave_images_without_labels(plant, text):
    root = plant(NAMES)
    (root / "metadata.csv").write_text(text)
    dataset = open_dataset(root, for_training=False)
    assert "metadata.csv there has no column of labels" in dataset.reading.doubt
    with pytest.raises(UserError, match="no class folders in it"):
        open_dataset(root)


@pytest.mark.parametrize("field", ["label_column", "image_root", "split_column"])
def test_options_of_tables_need_one(plant, field):
    root = plant(["a/1.png", "b/2.png"])
    with pytest.raises(UserError, match=f"--{field.replace('_', '-')} is for tables and there is"):
        open_dataset(root, ReadingOptions(**{field: "x"}))


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("t.csv", "layout"),
        ("t.csv", "test_folder"),
        ("digits", "label_column"),
        ("n.npz", "layout"),
    ],
)
def test_options_without_a_meaning_are_refused(plant, kind, field):
    import numpy as np

    root = plant(NAMES)
    (root / "t.csv").write_text(csv("path,label", labelled(NAMES)))
    np.savez(root / "n.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.arange(2))
    address = kind if kind == "digits" else root / kind
    options = ReadingOptions(**{field: "leaf" if field == "layout" else "x"})
    with pytest.raises(UserError, match=f"--{field.replace('_', '-')} has no meaning for data"):
        open_dataset(address, options)
