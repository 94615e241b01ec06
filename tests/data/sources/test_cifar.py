import pickle  # noqa: TID251 (to write what is read here without it)
import tarfile
from pathlib import Path

import numpy as np
import pytest

from vitreous.data.open import open_dataset
from vitreous.errors import UserError

RNG = np.random.default_rng(0)
WORDS = ["cat", "dog", "emu"]


def batches(folder: Path, files: list[str], key: str) -> dict[str, tuple[np.ndarray, list[int]]]:
    folder.mkdir()
    held = {}
    for file in files:
        planes = RNG.integers(0, 256, (4, 3072), np.uint8)
        labels = [0, 1, 2, int(RNG.integers(3))]
        (folder / file).write_bytes(pickle.dumps({"data": planes, key: labels}, 2))
        held[file] = planes.reshape(4, 3, 32, 32).transpose(0, 2, 3, 1), labels
    return held


TEN = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]


@pytest.fixture
def ten(tmp_path):
    held = batches(tmp_path / "cifar-10-batches-py", TEN, "labels")
    meta = pickle.dumps({"label_names": WORDS, "num_vis": 3072}, 2)
    (tmp_path / "cifar-10-batches-py/batches.meta").write_bytes(meta)
    return tmp_path / "cifar-10-batches-py", held


def test_ten_in_pickles(ten, send):
    folder, held = ten
    for address in (folder, folder.parent):
        dataset = open_dataset(address)
        assert dataset.class_names == tuple(WORDS)
        train = dataset.parts["train"]
        assert train.labels.tolist() == sum((held[file][1] for file in TEN[:5]), [])
        assert train.names[5] == "data_batch_2/0001"
        np.testing.assert_array_equal(train.read(5), held["data_batch_2"][0][1])
        assert dataset.parts["test"].labels.tolist() == held["test_batch"][1]
    copy, size = send(train)
    assert size < 3000
    np.testing.assert_array_equal(copy.read(5), held["data_batch_2"][0][1])


def test_hundred_in_pickles(tmp_path):
    held = batches(tmp_path / "cifar-100-python", ["train", "test"], "fine_labels")
    meta = pickle.dumps({"fine_label_names": WORDS, "coarse_label_names": ["x"]}, 2)
    (tmp_path / "cifar-100-python/meta").write_bytes(meta)
    dataset = open_dataset(tmp_path / "cifar-100-python")
    assert dataset.class_names == tuple(WORDS)
    assert dataset.parts["test"].labels.tolist() == held["test"][1]
    np.testing.assert_array_equal(dataset.parts["test"].read(3), held["test"][0][3])


def packed(folder: Path, path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        archive.add(folder, folder.name)
    return path


@pytest.mark.parametrize(
    ("name", "mode"), [("cifar-10-python.tar.gz", "w:gz"), ("c.tar", "w"), ("c.tar.xz", "w:xz")]
)
def test_the_download_is_read_as_it_is(ten, tmp_path, send, name, mode):
    folder, held = ten
    archive = packed(folder, tmp_path / name, mode)
    dataset = open_dataset(archive)
    assert dataset.class_names == tuple(WORDS)
    assert dataset.parts["train"].names == open_dataset(folder).parts["train"].names
    copy, size = send(dataset.parts["test"])
    assert size < 3000
    np.testing.assert_array_equal(copy.read(2), held["test_batch"][0][2])


def test_a_download_cut_short_or_with_code_is_refused(ten, tmp_path):
    folder, _ = ten
    archive = packed(folder, tmp_path / "c.tar.gz", "w:gz")
    archive.write_bytes(archive.read_bytes()[:-20_000])
    with pytest.raises(UserError, match=r"c\.tar\.gz: not a whole archive .*: download it again"):
        open_dataset(archive)
    (folder / "test_batch").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(UserError, match=r"test_batch: .*it names posix\.system"):
        open_dataset(packed(folder, tmp_path / "d.tar.gz", "w:gz"))
    (folder / "test_batch").unlink()
    with pytest.raises(UserError, match="test_batch is missing"):
        open_dataset(packed(folder, tmp_path / "e.tar.gz", "w:gz"))


@pytest.mark.parametrize(
    ("name", "files", "meta", "before"),
    [
        ("cifar-10-batches-bin", [f"{file}.bin" for file in TEN], "batches.meta.txt", 1),
        ("cifar-100-binary", ["train.bin", "test.bin"], "fine_label_names.txt", 2),
    ],
)
def test_binary(tmp_path, name, files, meta, before):
    folder = tmp_path / name
    folder.mkdir()
    (folder / meta).write_text("\n".join(WORDS) + "\n\n")
    for file in files:
        rows = RNG.integers(0, 256, (4, before + 3072), np.uint8)
        rows[:, before - 1] = [2, 0, 1, 2]
        rows.tofile(folder / file)
    dataset = open_dataset(folder)
    assert dataset.class_names == tuple(WORDS)
    assert dataset.parts["test"].labels.tolist() == rows[:, before - 1].tolist()
    expected = rows[2, before:].reshape(3, 32, 32).transpose(1, 2, 0)
    np.testing.assert_array_equal(dataset.parts["test"].read(2), expected)
    (folder / files[0]).write_bytes(b"x" * 3000)
    with pytest.raises(UserError, match="3000 bytes are no whole images"):
        open_dataset(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("data_batch_3", None, "data_batch_3 is missing"),
        ("test_batch", b"cposix\nsystem\n(S'true'\ntR.", "it names posix.system"),
        ("test_batch", pickle.dumps({"data": np.zeros((2, 9), np.uint8)}, 2), "holds no images"),
        ("test_batch", pickle.dumps({"data": 3, "labels": [1]}, 2), "holds no images"),
        ("batches.meta", pickle.dumps({"x": 1}, 2), "has no label_names"),
        ("batches.meta", pickle.dumps({"label_names": ["cat"]}, 2), "names 1 classes"),
    ],
)
def test_damage(ten, file, content, message):
    path = ten[0] / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        open_dataset(ten[0])
    assert "\n" not in str(caught.value)
