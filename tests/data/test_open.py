import gzip
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.data.open import open_dataset
from vitreous.data.sample import CropPart, decodes
from vitreous.data.sharding import write_shards
from vitreous.errors import UserError


def picture(path: Path, level: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (level, 0, 0)).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("cat/1.png", "cat/2.png", "dog/3.png"):
        picture(root / name)
    return root


def test_what_nobody_can_train_on_is_opened_only_to_be_looked_at(photos: Path) -> None:
    for part, name in (("train", "cat"), ("test", "emu")):
        picture(photos.parent / "parts" / part / name / "1.png")
    with pytest.raises(UserError, match="the test part has images of class 'emu'"):
        open_dataset(photos.parent / "parts")
    assert open_dataset(photos.parent / "parts", for_training=False).num_classes == 2
    picture(photos.parent / "one" / "cat" / "1.png")
    with pytest.raises(UserError, match="only one class"):
        open_dataset(photos.parent / "one")
    assert open_dataset(photos.parent / "one", for_training=False).num_classes == 1


def kinds(photos: Path) -> dict[str, Path]:
    """The same classes in every kind of storage."""
    folder = photos.parent
    with tarfile.open(folder / "photos.tar", "w") as archive:
        archive.add(photos, "photos")
    (folder / "no_ending").write_bytes((folder / "photos.tar").read_bytes())
    (photos / "table.csv").write_text("path,label\ncat/1.png,cat\ndog/3.png,dog\n")
    (photos / "table.jsonl").write_text(
        '{"path": "cat/1.png", "label": "cat"}\n{"path": "dog/3.png", "label": "dog"}\n'
    )
    names = np.array(["cat", "dog"])
    np.savez(
        folder / "photos.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.arange(2), class_names=names
    )
    return {
        "folder": photos,
        "tar": folder / "photos.tar",
        "tar by content": folder / "no_ending",
        "csv": photos / "table.csv",
        "jsonl": photos / "table.jsonl",
        "npz": folder / "photos.npz",
    }


@pytest.mark.parametrize("kind", ["folder", "tar", "tar by content", "csv", "jsonl", "npz"])
@pytest.mark.parametrize("as_type", [str, Path])
def test_each_kind_by_name_or_content(photos, kind, as_type):
    path = kinds(photos)[kind]
    dataset = open_dataset(as_type(path))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.address == str(path)
    assert dataset.parts["train"].read(1).dtype == np.uint8


def files_of(folder: Path, photos: list[bytes]) -> dict[str, Path]:
    """The same image files in every kind of storage that has files."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    labels = np.arange(len(photos)) % 2
    for number, (photo, label) in enumerate(zip(photos, labels, strict=True)):
        path = folder / "photos" / "ab"[label] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo)
    with tarfile.open(folder / "photos.tar", "w") as archive:
        archive.add(folder / "photos", "photos")
    rows = [f"{'ab'[label]}/{number}.jpg" for number, label in enumerate(labels)]
    table = folder / "photos" / "table.csv"
    table.write_text("path,label\n" + "".join(f"{row},{row[0]}\n" for row in rows))
    several = folder / "photos" / "several.csv"
    several.write_text("path,path2,label\n" + "".join(f"{row},{row},{row[0]}\n" for row in rows))
    offsets = np.cumsum([0, *map(len, photos)])
    jpeg = np.frombuffer(b"".join(photos), np.uint8)
    np.savez(folder / "photos.npz", jpeg=jpeg, offsets=offsets, y=labels)
    content = pa.table({"image": [{"bytes": photo} for photo in photos], "label": labels})
    pq.write_table(content, folder / "train.parquet")
    (folder / "arrow").mkdir()
    with pa.ipc.new_stream(str(folder / "arrow" / "data.arrow"), content.schema) as writer:
        writer.write_table(content)
    (folder / "arrow" / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    write_shards(open_dataset(folder / "photos"), folder / "shards")
    return {
        "folder": folder / "photos",
        "tar": folder / "photos.tar",
        "shards": folder / "shards",
        "npz": folder / "photos.npz",
        "table": table,
        "table of several files": several,
        "parquet": folder / "train.parquet",
        "arrow": folder / "arrow",
    }


def test_every_source_of_files_decodes_crops_by_themselves_at_a_reduced_scale(
    tmp_path: Path,
) -> None:
    draw, photos = np.random.default_rng(0), []
    for _ in range(4):
        blobs = Image.fromarray(draw.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        file = BytesIO()
        blobs.resize((320, 240)).save(file, "JPEG")
        photos.append(file.getvalue())
    for kind, path in files_of(tmp_path, photos).items():
        part = open_dataset(path).parts["train"]
        assert decodes(part), kind
        assert isinstance(part, CropPart), kind
        assert part.read_crop(1, lambda *_: (10, 40, 200, 240), (50, 50)).shape[:2] == (50, 60)
        assert part.read(1, 60).shape[:2] == (60, 80), kind


def test_digits_by_name_and_a_folder_of_that_name_by_path(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    photos.rename("digits")
    assert open_dataset("digits").num_classes == 10
    assert open_dataset("./digits").num_classes == 2
    assert open_dataset(Path("digits")).num_classes == 2


def test_idx_by_folder_and_by_file(shared_data):
    folder = shared_data / "mnist_test"
    for path in (folder, folder / "t10k-images-idx3-ubyte.gz"):
        assert len(open_dataset(path).parts["test"].names) == 10_000


def refused(address: str | Path) -> str:
    with pytest.raises(UserError) as caught:
        open_dataset(address)
    message = str(caught.value)
    assert message.startswith(str(address))
    assert "\n" not in message
    assert message.split(": ", 1)[1]
    return message


def test_missing_paths_name_the_nearest(photos):
    folder = photos.parent
    assert refused(folder / "fotos").endswith(f"did you mean {photos}?")
    assert refused(folder / "photo" / "train").endswith(f"did you mean {photos}?")
    assert "nothing of a like name" in refused(folder / "zzz")
    assert refused("digit").endswith("did you mean digits?")


def test_folders_that_are_no_data_set(tmp_path, photos):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no images in it" in refused(empty)
    (empty / "class").mkdir()
    assert "no images in it" in refused(empty)
    flat = picture(tmp_path / "flat/1.png").parent
    assert "1 images but no class folders in it: put each class's images" in refused(flat)
    single = picture(tmp_path / "single/cat/1.png").parent.parent
    assert "only one class (cat): a classifier needs at least two" in refused(single)


def test_files_that_are_no_data_set(tmp_path):
    assert "one image is no data set" in refused(picture(tmp_path / "cat.png"))
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    assert "not a data set of a known kind: give digits, a folder" in refused(text)
    for name in ("a.tar.gz", "a.tgz", "a.gz"):
        packed = tmp_path / name
        packed.write_bytes(gzip.compress(b"x"))
        assert "unpack it once with `gunzip" in refused(packed)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("cat/1.png", b"")
    assert "unzip it, and give the folder" in refused(tmp_path / "a.zip")
    for name in ("empty.tar", "empty.npz", "empty.csv", "empty.jsonl", "empty"):
        (tmp_path / name).touch()
        refused(tmp_path / name)
    assert "neither a file nor a folder" in refused("/dev/null")


@pytest.mark.parametrize("kind", ["npz", "csv", "idx", "tar"])
def test_one_class_in_any_kind(tmp_path, kind):
    path = tmp_path / f"one.{kind}"
    if kind == "npz":
        np.savez(path, x=np.zeros((3, 4, 4), np.uint8), y=np.zeros(3, int))
    elif kind == "csv":
        picture(tmp_path / "1.png")
        path.write_text("path,label\n1.png,cat\n")
    elif kind == "tar":
        with tarfile.open(path, "w") as archive:
            archive.add(picture(tmp_path / "1.png"), "cat/1.png")
    else:
        path = tmp_path / "train-images-idx3-ubyte"
        path.write_bytes(bytes((0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 9, 9, 9, 9)))
        labels = bytes((0, 0, 8, 1, 0, 0, 0, 1, 0))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
    assert "only one class" in refused(path)


def test_unreadable_file(photos, monkeypatch):
    path = kinds(photos)["tar by content"]

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert "cannot be read (Permission denied)" in refused(path)


def test_opening_decodes_nothing(photos, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("decoded at opening")

    monkeypatch.setattr("vitreous.data.sources.encoded.decode", refuse)
    assert open_dataset(photos).num_classes == 2


def test_image_that_is_cut_short_does_not_stop_opening(photos):
    data = BytesIO()
    Image.effect_noise((64, 64), 50).save(data, "JPEG")
    (photos / "dog" / "cut.jpg").write_bytes(data.getvalue()[:200])
    (photos / "dog" / "empty.jpg").touch()
    assert len(open_dataset(photos).parts["train"].names) == 5
