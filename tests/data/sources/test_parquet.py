import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from vitreous.data.open import open_dataset
from vitreous.data.sources import parquet
from vitreous.errors import BadImageError, UserError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (level, level, level)).save(file, "PNG")
    return file.getvalue()


def huggingface(table, **features):
    """The table with the metadata that `datasets` writes."""
    about = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({b"huggingface": about.encode()})


def table(labels: Sequence, first: int = 0, image: str = "image", label: str = "label"):
    cells = [{"bytes": png(first + i), "path": f"{i}.png"} for i in range(len(labels))]
    return pa.table({image: cells, label: labels})


CLASSES = {"names": ["cat", "dog"], "_type": "ClassLabel"}


def write(path: Path, content, rows: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path, row_group_size=rows)
    return path


def test_a_file_with_names_in_its_metadata(tmp_path, send):
    path = write(tmp_path / "a.parquet", huggingface(table([1, 0, 1, 0, 0]), label=CLASSES))
    part = open_dataset(path).parts["train"]
    assert open_dataset(path).class_names == ("cat", "dog")
    assert part.labels.tolist() == [1, 0, 1, 0, 0]
    assert part.names[4] == "a/0000004"
    part, _ = send(part)
    assert [int(part.read(index)[0, 0, 0]) for index in (4, 0, 3, 1, 2)] == [4, 0, 3, 1, 2]


def test_files_of_the_hub_make_parts(tmp_path):
    for number, name in enumerate(("train-00000-of-00002", "train-00001-of-00002", "test-0")):
        write(tmp_path / "data" / f"{name}.parquet", table(["cat", "dog"], first=10 * number))
    dataset = open_dataset(tmp_path)
    assert dataset.class_names == ("cat", "dog")
    assert {n: p.names for n, p in dataset.parts.items()} == {
        "train": [
            "data/train-00000-of-00002/0000000",
            "data/train-00000-of-00002/0000001",
            "data/train-00001-of-00002/0000000",
            "data/train-00001-of-00002/0000001",
        ],
        "test": ["data/test-0/0000000", "data/test-0/0000001"],
    }
    assert dataset.parts["test"].read(1)[0, 0, 0] == 21


def test_plain_bytes_and_other_names(tmp_path):
    content = pa.table({"img": [png(3), png(4)], "fine_label": [0, 4]})
    dataset = open_dataset(write(tmp_path / "a.parquet", content))
    assert dataset.class_names == tuple("01234")
    assert dataset.parts["train"].read(1)[0, 0, 0] == 4


@pytest.mark.parametrize(
    ("labels", "features", "rows"),
    [
        ([["a", "c"], [], ["b"]], {}, [[1, 0, 1], [0, 0, 0], [0, 1, 0]]),
        ([[1], [0, 1], None], {"labels": {"feature": CLASSES}}, [[0, 1], [1, 1]]),
    ],
)
def test_several_labels_a_row(tmp_path, labels, features, rows):
    content = huggingface(table(labels, label="labels"), **features)
    dataset = open_dataset(write(tmp_path / "a.parquet", content))
    assert dataset.multi_label
    assert dataset.parts["train"].labels.tolist() == rows


def test_rows_without_a_label_and_empty_files(tmp_path):
    for name, labels in (("train", [0, 1, None]), ("test", [-1, -1])):
        content = huggingface(table(pa.array(labels, pa.int64())), label=CLASSES)
        write(tmp_path / f"{name}.parquet", content)
    write(tmp_path / "validation.parquet", content.slice(0, 0))
    dataset = open_dataset(tmp_path)
    assert list(dataset.parts) == ["train"]
    assert dataset.notes["without a label"] == "left out 3 of 5 images"
    assert dataset.notes["empty files"] == "validation.parquet has no rows"


def test_a_cell_without_bytes_is_a_bad_image(tmp_path):
    cells = [{"bytes": png(0), "path": None}, {"bytes": None, "path": "x.png"}, None]
    content = pa.table({"image": cells, "label": [0, 1, 1]})
    part = open_dataset(write(tmp_path / "a.parquet", content)).parts["train"]
    with pytest.raises(BadImageError, match=r"holds a path \(x\.png\) and no bytes"):
        part.read(1)
    with pytest.raises(BadImageError, match="an empty cell"):
        part.read(2)


def test_few_row_groups_are_kept_and_threads_agree(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_KEPT", 3 * len(png(0)))
    path = write(tmp_path / "a.parquet", table([i % 2 for i in range(40)]))
    part = open_dataset(path).parts["train"]
    order = [(7 * i) % 40 for i in range(200)]
    with ThreadPoolExecutor(6) as pool:
        levels = [int(pixels[0, 0, 0]) for pixels in pool.map(part.read, order)]
    assert levels == order
    assert len(part.store._kept) <= 2
    assert "read a row group at a time" in open_dataset(path).notes["parquet"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pa.table({"image": [png(0)]}), r"no label column among image \(binary\): name the label"),
        (pa.table({"label": [1]}), r"no image column among label \(int64\)"),
        (pa.table({"image": [b"x"], "label": [0.5]}), "column label is double: labels are int"),
        (huggingface(table([0, 7]), label=CLASSES), "holds 7, and its metadata names 2 classes"),
        (table([0, 1]).slice(0, 0), "has no rows"),
        (table(pa.array([None, None], pa.int64())), "none of its 2 images has a label"),
    ],
)
def test_columns_that_do_not_fit(tmp_path, content, message):
    path = write(tmp_path / "a.parquet", content)
    with pytest.raises(UserError, match=message) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)


def test_damaged_and_unlike_files(tmp_path):
    whole = write(tmp_path / "a.parquet", table([0, 1])).read_bytes()
    for content in (b"", b"junk" * 30, whole[:200], whole[:-20]):
        (tmp_path / "a.parquet").write_bytes(content)
        with pytest.raises(UserError, match="no whole Parquet file") as caught:
            open_dataset(tmp_path / "a.parquet")
        assert "\n" not in str(caught.value)
    (tmp_path / "a.parquet").write_bytes(whole)
    write(tmp_path / "b.parquet", table([0, 1], image="picture"))
    with pytest.raises(UserError, match=r"b\.parquet has other columns than a\.parquet"):
        open_dataset(tmp_path)


def test_a_group_that_is_damaged_later_is_a_bad_image(tmp_path, send):
    path = write(tmp_path / "a.parquet", table([0, 1, 0, 1]))
    part, _ = send(open_dataset(path).parts["train"])
    path.write_bytes(b"junk")
    with pytest.raises(BadImageError, match=r"a\.parquet: "):
        part.read(0)


def test_classes_that_training_lacks(tmp_path):
    write(tmp_path / "train.parquet", table(["cat", "dog"]))
    write(tmp_path / "test.parquet", table(["emu", "dog"]))
    with pytest.raises(UserError, match="the test part has images of class 'emu'"):
        open_dataset(tmp_path)


def test_the_hub_without_a_network(monkeypatch, tmp_path):
    import huggingface_hub

    def refuse(*_, **__):
        raise OSError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(UserError, match=r"hf:a/b: cannot be fetched \(no route to host\): check"):
        open_dataset("hf:a/b")

    def converted(name, *, revision, **options):
        folder = tmp_path / "hub" / (revision or "main")
        folder.mkdir(parents=True, exist_ok=True)
        if revision:
            write(folder / "default/train/0000.parquet", table(["cat", "dog"]))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", converted)
    assert open_dataset("hf:a/b").class_names == ("cat", "dog")


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_numbers_of_products_are_names_and_no_count_of_classes(tmp_path, kind):
    content = table([10**12, 7, 10**12, None])
    content = content.set_column(1, "label", content["label"].cast(kind))
    dataset = open_dataset(write(tmp_path / "a.parquet", content))
    assert dataset.class_names == ("1000000000000", "7")  # as words are sorted
    assert dataset.parts["train"].labels.tolist() == [0, 1, 0]
    assert dataset.notes == {"without a label": "left out 1 of 4 images"}


def test_a_table_without_labels_is_images_without_labels(tmp_path):
    path = tmp_path / "images.parquet"
    pq.write_table(pa.table({"image": [png(3), png(4)], "note": ["a", "b"]}), path)
    dataset = open_dataset(path, for_training=False)
    assert "no label column among image (binary), note (string)" in dataset.reading.doubt
    assert not dataset.reading.asks
    assert (dataset.parts["train"].read(1) == 4).all()
