"""A folder with one of every fault, and what is said of it."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.data.inspect import Inspection, inspect
from vitreous.data.open import open_dataset
from vitreous.data.reading import ReadingOptions
from vitreous.data.sample import Dataset


def scene(seed: int) -> Image.Image:
    draw = np.random.default_rng(seed)
    blobs = Image.fromarray(draw.integers(0, 256, (12, 14, 3), dtype=np.uint8))
    return blobs.resize((140, 120), Image.Resampling.BICUBIC)


def bomb() -> bytes:
    """A PNG whose header claims 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for number, name in enumerate(("train/cat", "train/dog", "test/cat", "test/bird")):
        (root / name).mkdir(parents=True)
        for image in range(3):
            scene(10 * number + image).save(root / name / f"{image}.jpg")
    for name in ("val", "train/fish", "train/cat/.hidden"):
        (root / name).mkdir()
    cats = root / "train" / "cat"
    whole = (cats / "0.jpg").read_bytes()
    (cats / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (cats / "zero.jpg").touch()
    (cats / "words.png").write_text("words")
    (cats / "bomb.png").write_bytes(bomb())
    scene(50).save(cats / "gif.jpg", "GIF")
    scene(51).convert("CMYK").save(cats / "print.jpg")
    (cats / "gone.jpg").symlink_to("nowhere.jpg")
    (cats / "link.jpg").symlink_to("0.jpg")
    leaked = scene(10).transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((70, 60))
    leaked.save(root / "test" / "cat" / "leak.jpg")
    return root


@pytest.fixture
def found(faulty: Path) -> Inspection:
    return inspect(open_dataset(faulty, for_training=False))


def test_every_fault_is_found(found: Inspection) -> None:
    values = found.to_dict()
    assert values["parts"] == {"train": 13, "test": 7}
    assert {row["name"].split("/")[-1]: row["kind"] for row in values["unreadable"]} == {
        "bomb.png": "too large",
        "cut.jpg": "damaged",
        "words.png": "unknown",
        "zero.jpg": "empty",
    }
    assert values["odd"] == {"renamed": ["train/cat/gif.jpg"], "CMYK": ["train/cat/print.jpg"]}
    assert values["formats"] == {"JPEG": 16, "GIF": 1, "PNG": 1}
    assert values["unseen_classes"] == [{"name": "bird", "part": "test", "images": 3}]
    assert values["empty_folders"] == ["train/fish", "val"]
    assert values["broken_links"] == ["train/cat/gone.jpg"]
    pairs = {(row["name"], row["like"]): row["how"] for row in values["duplicates"]}
    assert pairs == {
        ("train/cat/link.jpg", "train/cat/0.jpg"): "same pixels",
        ("train/dog/0.jpg", "test/cat/leak.jpg"): "mirrored",
    }
    assert values["shorter_side"]["least"] == 60
    assert values["aspect_ratio"]["median"] == pytest.approx(140 / 120, abs=1e-3)


def test_what_needs_mending_is_said(found: Inspection) -> None:
    assert found.problems == [
        "4 images cannot be read (1 too large, 1 damaged, 1 unknown, 1 empty)",
        "1 image behind broken links, such as train/cat/gone.jpg",
        "class bird of test (3 images) is not in train",
        "train/fish/ holds no images",
        "val/ holds no images",
        "1 pair of duplicates across parts: test images that leaked",
        "1 pair of duplicates with different labels: one is wrong",
    ]
    assert found.remarks == ["1 pair of duplicates inside a part"]


def test_a_sound_set_has_nothing_to_mend(memory) -> None:
    part = memory(count=6, size=(40, 130))
    dataset = Dataset(address="D", class_names=("a", "b", "c"), parts={"train": part}, channels=3)
    stages: list[str] = []

    def stage(words: str):
        stages.append(words)
        return lambda share: None

    found = inspect(dataset, stage)
    assert found.problems == []
    assert found.remarks == ["6 images longer than 3 times their width or height"]
    assert stages == ["reading", "comparing"]
    assert found.to_dict()["formats"] == {}


def test_images_of_several_labels(tmp_path: Path) -> None:
    for number in range(4):
        scene(number).save(tmp_path / f"{number}.png")
    scene(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "again.png")
    table = tmp_path / "table.csv"
    table.write_text(
        "path,labels,part\n0.png,cat;dog,train\n1.png,,train\n2.png,dog,train\n"
        "3.png,bird,test\nagain.png,cat,test\n"
    )
    found = inspect(open_dataset(table, for_training=False))
    assert found.problems == [
        "class bird of test (1 image) is not in train",
        "1 pair of duplicates across parts: test images that leaked",
        "1 pair of duplicates with different labels: one is wrong",
    ]
    values = found.to_dict()
    assert values["classes"][2] == {"name": "dog", "train": 2, "test": 0}
    assert values["parts"] == {"train": 3, "test": 2}
    assert (values["duplicates"][0]["class"], values["duplicates"][0]["like_class"]) == (
        "cat, dog",
        "cat",
    )


def test_an_empty_part_is_told_once(faulty: Path, found: Inspection) -> None:
    assert "empty parts" in open_dataset(faulty, for_training=False).notes
    assert "empty parts" not in found.to_dict()["notes"]
    assert sum("val/" in line for line in found.problems) == 1


def test_imbalance_and_a_part_that_cannot_be_read_at_all(memory) -> None:
    train, test = memory(count=40), memory(count=2, bad=(0, 1))
    train.labels = np.array([0] * 35 + [1] * 3 + [2] * 2)
    dataset = Dataset(
        address="D", class_names=("a", "b", "c"), parts={"train": train, "test": test}, channels=3
    )
    found = inspect(dataset)
    assert found.problems == ["2 images cannot be read (2 damaged)"]
    assert "the largest class has 18 times the images of the smallest" in found.remarks
    assert (
        inspect(
            Dataset(address="D", class_names=("a",), parts={"test": test}, channels=3)
        ).to_dict()["shorter_side"]["most"]
        == 0
    )


def test_folders_around_a_set_and_beside_it_need_no_images(tmp_path: Path) -> None:
    """ImageNet as Kaggle packs it; and Pets, whose lists lie in a folder of their own."""
    home = tmp_path / "kaggle/ILSVRC/Data/CLS-LOC"
    names = ["train/n1/a", "train/n2/b", "val/ILSVRC2012_val_00000001", "test/c"]
    for number, name in enumerate(names):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        scene(number).save(home / f"{name}.JPEG")
    (home / "train/n3").mkdir()
    solution = "ImageId,PredictionString\nILSVRC2012_val_00000001,n1 1 2 3 4\n"
    (tmp_path / "kaggle/LOC_val_solution.csv").write_text(solution)
    found = inspect(open_dataset(tmp_path / "kaggle", for_training=False))
    assert found.problems == ["train/n3/ holds no images"]

    for number, name in enumerate(("cat_1", "dog_1")):
        (tmp_path / "pets/images").mkdir(parents=True, exist_ok=True)
        scene(number).save(tmp_path / f"pets/images/{name}.jpg")
    (tmp_path / "pets/annotations").mkdir()
    (tmp_path / "pets/annotations/trainval.txt").write_text("cat_1 1 1 1\ndog_1 2 2 1\n")
    assert inspect(open_dataset(tmp_path / "pets", for_training=False)).problems == []


def plain_set(root: Path, names: list[str]) -> Inspection:
    draw = np.random.default_rng(0)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (40, 40), np.uint8)).save(root / name)
    return inspect(open_dataset(root, for_training=False))


def test_classes_of_the_same_letters_are_told(tmp_path: Path) -> None:
    found = plain_set(tmp_path, [f"{name}/1.png" for name in ("Cat", "cat ", "dog", "big-dog")])
    assert found.remarks == [
        "classes 'Cat' and 'cat ' differ in case, blanks or marks only: are they one?"
    ]
    assert not found.problems


def test_groups_in_several_parts_are_a_problem(tmp_path: Path) -> None:
    names = [f"{part}/{name}/p{n}.png" for part in ("train", "test") for name in "ab" for n in "12"]
    plain_set(tmp_path, names)
    options = ReadingOptions(group_from_name=r"p\d")
    found = inspect(open_dataset(tmp_path, options))
    assert found.problems == [
        r"2 groups (--group-from-name p\d) have images in several parts: what is measured on them "
        "is optimistic"
    ]
    assert found.to_dict()["groups"] == 2
    assert found.to_dict()["groups_across_parts"] == {"p1": ["train", "test"],
                                                      "p2": ["train", "test"]}  # fmt: skip


def test_a_random_split_that_would_be_optimistic_is_told(tmp_path: Path) -> None:
    names = [f"{name}/patient{n // 3}_{n}.png" for name in "ab" for n in range(9)]
    found = plain_set(tmp_path, names)
    (remark,) = found.remarks
    assert remark.startswith("names speak of 3 groups of several images: a random split would")
    for name in names[1::3] + names[2::3]:
        first = names[names.index(name) // 3 * 3]
        (tmp_path / name).write_bytes((tmp_path / first).read_bytes())
    found = inspect(open_dataset(tmp_path))
    assert any("18 images have a near-duplicate in their part" in line for line in found.remarks)
    grouped = inspect(open_dataset(tmp_path, ReadingOptions(group_from_name=r"patient\d")))
    assert not any("optimistic" in line for line in grouped.remarks)


def test_images_without_labels_are_told(tmp_path: Path) -> None:
    found = plain_set(tmp_path, ["1.png", "2.png"])
    assert found.problems[0].startswith("no labels to train a classifier on: 2 images but no class")
