import gzip
import struct

import numpy as np
import pytest

from vitreous.data.sources.idx import is_idx, open_idx
from vitreous.errors import UserError


def idx(values: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


X = np.random.default_rng(0).integers(0, 256, (6, 4, 5), np.uint8)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def save(tmp_path):
    def write(files: dict[str, np.ndarray | bytes]):
        for name, values in files.items():
            data = values if isinstance(values, bytes) else idx(values)
            packed = gzip.compress(data) if name.endswith(".gz") and values is not data else data
            (tmp_path / name).write_bytes(packed)
        return tmp_path

    return write


BOTH = {
    "train-images-idx3-ubyte.gz": X,
    "train-labels-idx1-ubyte.gz": Y,
    "t10k-images-idx3-ubyte.gz": X[:2],
    "t10k-labels-idx1-ubyte.gz": Y[:2],
}


@pytest.mark.parametrize(
    "spell",
    [
        lambda name: name,
        lambda name: name.removesuffix(".gz"),
        lambda name: name.replace("-idx", ".idx"),
        lambda name: f"emnist-letters-{name}".replace("t10k", "test"),
    ],
)
def test_folder_of_both_parts(save, spell):
    files = {}
    for name, values in BOTH.items():
        files[spell(name)] = values
    dataset = open_idx(save(files), "DATA")
    assert dataset.class_names == ("0", "1", "2")
    assert dataset.channels == 1
    assert dataset.image_size == (4, 5)
    train, test = dataset.parts["train"], dataset.parts["test"]
    assert train.names[5] == "train/0005"
    assert len(test.names) == 2
    assert not set(train.names) & set(test.names)
    np.testing.assert_array_equal(train.labels, Y)
    np.testing.assert_array_equal(train.read(3), X[3, :, :, None])
    np.testing.assert_array_equal(test.read(1, min_side=2), X[1, :, :, None])


@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
@pytest.mark.parametrize(("spelt", "part", "count"), [("train", "train", 6), ("t10k", "test", 2)])
def test_a_file_stands_for_its_pair(save, kind, spelt, part, count):
    path = save(BOTH) / f"{spelt}-{kind}-ubyte.gz"
    assert is_idx(path)
    dataset = open_idx(path, str(path))
    assert {name: len(part.names) for name, part in dataset.parts.items()} == {part: count}


def test_several_sets_in_one_folder(save):
    folder = save({prefix + name: value for name, value in BOTH.items() for prefix in ("a-", "b-")})
    with pytest.raises(UserError, match=r"several sets in one folder \(a-, b-\)"):
        open_idx(folder, "DATA")
    assert len(open_idx(folder / "b-t10k-images-idx3-ubyte.gz", "DATA").parts["test"].names) == 2


IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({IMAGES: X}, "no t10k labels file beside t10k-images"),
        ({LABELS: Y}, "no t10k images file beside t10k-labels"),
        ({IMAGES: X, LABELS: Y[:5]}, "6 t10k images but 5 labels"),
        ({IMAGES: X[:0], LABELS: Y[:0]}, "holds no images"),
        ({IMAGES: X, LABELS: X}, r"not an idx file of bytes with 1 axes \(it begins with 00000803"),
        ({IMAGES: Y, LABELS: Y}, "not an idx file of bytes with 3 axes"),
        ({IMAGES: X, LABELS: gzip.compress(b"")}, "begins with nothing"),
        ({IMAGES: X, LABELS: gzip.compress(idx(Y)[:6])}, "not an idx file"),
        ({IMAGES: gzip.compress(idx(X)[:-1]), LABELS: Y}, r"119 values where .* \(6, 4, 5\)"),
        ({IMAGES: gzip.compress(idx(X) + b"x"), LABELS: Y}, "over 120 values where its header"),
        ({IMAGES: gzip.compress(idx(X))[:-20], LABELS: Y}, "cannot be read .*download"),
        ({IMAGES: b"<html>", LABELS: Y}, "cannot be read .*download"),
        ({**BOTH, IMAGES: X[:2, 1:]}, "train and test images differ in size"),
    ],
)
def test_files_that_do_not_fit(save, files, message):
    with pytest.raises(UserError, match=message) as caught:
        open_idx(save(files), "DATA")
    assert "\n" not in str(caught.value)


def test_header_of_an_absurd_size_takes_no_memory(save):
    header = struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    with pytest.raises(UserError, match="so much it cannot hold"):
        open_idx(save({IMAGES: gzip.compress(header + b"abcd"), LABELS: Y}), "DATA")


def test_pickle_holds_no_pixels(save, send):
    images = np.random.default_rng(0).integers(0, 256, (2, 99, 99))
    part = open_idx(save({IMAGES: images, LABELS: Y[:2]}), "DATA").parts["test"]
    copy, size = send(part)
    assert size < 2000
    np.testing.assert_array_equal(copy.read(1)[..., 0], images[1])


def test_mnist_and_fashion_mnist(shared_data):
    fashion = open_idx(shared_data / "fashion_mnist", "fashion_mnist")
    assert np.bincount(fashion.parts["train"].labels).tolist() == [6000] * 10
    assert np.bincount(fashion.parts["test"].labels).tolist() == [1000] * 10
    assert fashion.image_size == (28, 28)
    assert fashion.parts["train"].labels[:5].tolist() == [9, 0, 0, 3, 0]
    mnist = open_idx(shared_data / "mnist_test", "mnist_test")
    assert list(mnist.parts) == ["test"]
    assert mnist.parts["test"].labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert mnist.parts["test"].read(9999).shape == (28, 28, 1)
