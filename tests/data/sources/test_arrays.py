import os
import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vitreous.data.sources.arrays import open_arrays
from vitreous.errors import BadImageError, UserError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (6, 5, 4, 3), np.uint8)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def save(tmp_path):
    def write(compressed: bool = False, **arrays):
        path = tmp_path / "set.npz"
        (np.savez_compressed if compressed else np.savez)(path, **arrays)
        return path

    return write


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 5])
def test_pixels_of_any_channels(save, compressed, channels):
    x = RNG.integers(0, 256, (6, 5, 4, *([channels] if channels else [])), np.uint8)
    dataset = open_arrays(save(compressed, x=x, y=Y.astype(np.uint8)), "set.npz")
    part = dataset.parts["train"]
    assert dataset.channels == (channels or 1)
    assert dataset.image_size == (5, 4)
    assert dataset.class_names == ("0", "1", "2")
    assert part.names == [f"set/000{i}" for i in range(6)]
    assert part.labels.dtype == np.int64
    np.testing.assert_array_equal(part.labels, Y)
    np.testing.assert_array_equal(part.read(4, min_side=2), x[4].reshape(5, 4, -1))


def test_class_names(save):
    dataset = open_arrays(save(x=X, y=Y, class_names=np.array(["cat", "dog", "emu", "fox"])), "s")
    assert dataset.class_names == ("cat", "dog", "emu", "fox")


def jpegs(sizes: list[tuple[int, int]], mode: str = "RGB") -> dict[str, np.ndarray]:
    files = []
    for height, width in sizes:
        file = BytesIO()
        Image.new(mode, (width, height), 60 if mode == "L" else (200, 20, 20)).save(file, "JPEG")
        files.append(file.getvalue())
    offsets = np.cumsum([0, *map(len, files)])
    return {"jpeg": np.frombuffer(b"".join(files), np.uint8), "offsets": offsets}


@pytest.mark.parametrize(
    ("sizes", "shared"), [([(8, 9)] * 3, (8, 9)), ([(8, 9), (8, 9), (9, 8)], None)]
)
def test_image_files_in_one_array(save, sizes, shared):
    dataset = open_arrays(save(**jpegs(sizes), y=np.array([0, 1, 1])), "set.npz")
    assert dataset.image_size == shared
    assert dataset.channels == 3
    part = dataset.parts["train"]
    for index, size in enumerate(sizes):
        pixels = part.read(index)
        assert pixels.shape == (*size, 3)
        assert np.abs(pixels.astype(int) - [200, 20, 20]).max() <= 3


def test_grey_image_files_have_one_channel(save):
    dataset = open_arrays(save(**jpegs([(8, 8)] * 2, "L"), y=np.array([0, 1])), "set.npz")
    assert dataset.channels == 1


def test_a_damaged_image_file_is_bad_when_read(save):
    arrays = jpegs([(8, 8)] * 3)
    arrays["jpeg"] = arrays["jpeg"].copy()
    arrays["jpeg"][arrays["offsets"][1] :][:40] = 0
    dataset = open_arrays(save(**arrays, y=np.array([0, 1, 1])), "set.npz")
    assert dataset.image_size == (8, 8)
    with pytest.raises(BadImageError, match="set/0001"):
        dataset.parts["train"].read(1)


@pytest.mark.parametrize("form", ["x", "jpeg"])
def test_pickle_holds_no_pixels_and_another_folder_does_not_matter(
    save, send, form, monkeypatch, tmp_path
):
    noise = RNG.integers(0, 256, (2, 90, 90, 3), np.uint8)
    big = {"x": noise, "y": np.array([0, 1])}
    path = save(**(big if form == "x" else {**jpegs([(300, 300)] * 2), "y": np.array([0, 1])}))
    monkeypatch.chdir(tmp_path)
    part = open_arrays(type(path)(path.name), "set.npz").parts["train"]
    pixels = part.read(1)
    monkeypatch.chdir("/")
    copy, size = send(part)
    assert size < 2000
    np.testing.assert_array_equal(copy.read(1), pixels)


JPEGS = jpegs([(8, 8)] * 2)
TWO = np.array([0, 1])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a": X, "b": Y},
            r"holds a, b, but no x and y, nor x_train and y_train: save it with numpy\.savez",
        ),
        ({"x": X}, "holds x, but no x and y"),
        (
            {"x": X / 255, "y": Y},
            r"x is float64, not uint8 levels 0\.\.255: save \(x \* 255\)\.round",
        ),
        ({"x": X.astype(np.int64), "y": Y}, "x is int64"),
        ({"x": X[0], "y": Y}, r"5 images in x but 6 labels in y"),
        ({"x": X[0, 0], "y": Y}, r"x has shape \(4, 3\)"),
        ({"x": X[:, :0], "y": Y}, r"x has shape \(6, 0, 4, 3\)"),
        ({"x": X.transpose(0, 3, 1, 2).repeat(2, 3), "y": Y}, r"save x\.transpose\(0, 2, 3, 1\)"),
        ({"x": X, "y": Y[:4]}, "6 images in x but 4 labels in y"),
        ({"x": X, "y": Y * 0.5}, "y holds numbers with fractions"),
        ({"x": X, "y": Y[:, None, None]}, r"y is int64 with 3 axes"),
        ({"x": X, "y": Y - 1}, "y holds -1: number the classes from 0"),
        ({"x": X[:0], "y": Y[:0]}, "holds no images"),
        ({"x": X, "y": Y, "class_names": np.array(["a", "b"])}, "class_names has 2 different"),
        ({"x": X, "y": Y, "class_names": np.array(["a", "b", "a"])}, "class_names has 2 diff"),
        ({"x": X, "y": Y, "class_names": np.arange(3)}, "class_names is int64"),
        ({"x": X, "y": Y.astype(object)}, "y cannot be read .*allow_pickle"),
        ({**JPEGS, "y": Y}, r"offsets is int64 \(3,\), not 7"),
        ({**JPEGS, "offsets": np.array([0, 9, 5]), "y": TWO}, "offsets do not rise"),
        ({**JPEGS, "offsets": np.array([0, 9, 99999]), "y": TWO}, "offsets do not rise"),
        ({**JPEGS, "offsets": np.array([-5, 9, 50]), "y": TWO}, "offsets do not rise"),
        ({**JPEGS, "jpeg": JPEGS["jpeg"] / 1.0, "y": TWO}, "jpeg is float64"),
    ],
)
def test_arrays_that_do_not_fit(save, arrays, message):
    with pytest.raises(UserError, match=message) as caught:
        open_arrays(save(**arrays), "set.npz")
    assert "\n" not in str(caught.value)


def test_objects_never_run(save, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    trap = np.array([Bomb()] * 6, object)
    for key in ("x", "y", "class_names"):
        with pytest.raises(UserError, match="cannot be read"):
            open_arrays(save(**{"x": X, "y": Y, key: trap}), "set.npz")
    assert not (tmp_path / "ran").exists()


def test_files_that_are_no_npz(save, tmp_path):
    path = save(x=X, y=Y)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[200] ^= 255
    bare = BytesIO()
    np.save(bare, X)
    other = BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("x.npy", b"junk")
        archive.writestr("y.npy", b"junk")
    for content in (b"", b"junk", whole[:300], bytes(damaged), bare.getvalue(), other.getvalue()):
        path.write_bytes(content)
        with pytest.raises(
            UserError, match=r"not a whole \.npz archive|cannot be read|is no NumPy array"
        ):
            open_arrays(path, "set.npz")


@pytest.mark.parametrize(("part", "count"), [("train", 50_000), ("test", 10_000)])
def test_cifar10(shared_data, part, count):
    path = shared_data / f"cifar10_jpeg_{part}.npz"
    dataset = open_arrays(path, str(path))
    train = dataset.parts["train"]
    assert np.bincount(train.labels).tolist() == [count // 10] * 10
    assert dataset.channels == 3
    assert dataset.image_size == (32, 32)
    assert train.names[1] == f"cifar10_jpeg_{part}/" + ("00001" if part == "train" else "0001")
    assert train.read(count - 1).shape == (32, 32, 3)


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_numbers_of_products_are_names_and_no_count_of_classes(save, kind):
    products = np.array([10**12, 7, 3 * 10**18, 7, 7, 10**12], kind)
    dataset = open_arrays(save(x=X, y=products), "set.npz")
    assert dataset.class_names == ("7", "1000000000000", "3000000000000000000")
    assert dataset.parts["train"].labels.tolist() == [1, 0, 2, 0, 0, 1]


KERAS = {"x_train": X, "y_train": Y, "x_test": X[:4], "y_test": Y[:4]}


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("x_train", "y_train", "x_test", "y_test"), ("train", "test")),
        (("train_images", "train_labels", "val_images", "val_labels"), ("train", "validation")),
        (("trainX", "trainY", "testX", "testY"), ("train", "test")),
        (("X_train", "Y_train", "X_valid", "Y_valid"), ("train", "validation")),
        (("train_data", "train_targets", "test_data", "test_targets"), ("train", "test")),
        (("xtrain", "ytrain", "xval", "yval"), ("train", "validation")),
    ],
)
def test_parts_under_the_names_that_people_give(save, names, parts):
    arrays = dict(zip(names, KERAS.values(), strict=True))
    dataset = open_arrays(save(**arrays), "set.npz")
    assert tuple(dataset.parts) == parts
    assert [len(part.labels) for part in dataset.parts.values()] == [6, 4]
    assert (dataset.parts[parts[1]].read(3) == X[3]).all()
    assert len({*dataset.parts[parts[0]].names, *dataset.parts[parts[1]].names}) == 10
    assert f"{names[0]} is {parts[0]}" in dataset.reading.parts


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("X", "Y"), ("data", "targets"), ("arr_0", "arr_1"),
              ("arr_1", "arr_0"), ("image", "label")]
)  # fmt: skip
def test_one_part_under_other_names(save, names):
    dataset = open_arrays(save(**dict(zip(names, (X, Y), strict=True))), "set.npz")
    assert dataset.parts["train"].labels.tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("labels", "class_names"),
    [
        (Y[:, None], ("0", "1", "2")),
        (Y * 1.0, ("0", "1", "2")),
        (np.eye(3)[Y], ("0", "1", "2")),
        (np.eye(3, dtype=bool)[Y], ("0", "1", "2")),
        (np.array(["cat", "dog", "emu"])[Y], ("cat", "dog", "emu")),
        (np.array([b"cat", b"dog", b"emu"])[Y], ("cat", "dog", "emu")),
    ],
)
def test_labels_in_the_forms_that_people_save(save, labels, class_names):
    dataset = open_arrays(save(x=X, y=labels), "set.npz")
    assert dataset.class_names == class_names
    assert dataset.parts["train"].labels.tolist() == Y.tolist()
    assert not dataset.multi_label


def test_rows_of_several_ones_are_several_labels(save):
    rows = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 1], [0, 1, 0], [1, 1, 1]])
    dataset = open_arrays(save(x=X, y=rows, class_names=np.array(["a", "b", "c"])), "set.npz")
    assert dataset.multi_label
    assert dataset.class_names == ("a", "b", "c")
    assert dataset.parts["train"].labels.tolist() == rows.tolist()


def test_words_follow_the_names_that_are_given(save):
    words = np.array(["cat", "dog", "emu"])
    dataset = open_arrays(save(x=X, y=words[Y], class_names=words[::-1]), "set.npz")
    assert dataset.class_names == ("emu", "dog", "cat")
    assert dataset.parts["train"].labels.tolist() == (2 - Y).tolist()


@pytest.mark.parametrize(
    "pixels",
    [
        X.astype(np.uint16) * 257,
        X.astype(np.uint16) * 15,
        X / 255,
        X / 127.5 - 1,
        X.astype(np.float32),
        X.astype(np.int64),
        X > 100,
        X * 3.0 - 300,
    ],
)
def test_the_advice_for_pixels_gives_pixels(save, pixels):
    """The expression in the message, evaluated, is uint8 and keeps the order of the levels."""
    with pytest.raises(UserError, match=r"not uint8 levels 0\.\.255: save ") as caught:
        open_arrays(save(x=pixels, y=Y), "set.npz")
    advice = str(caught.value).partition(": save ")[2]
    mended = eval(advice, {"x": pixels, "numpy": np})  # noqa: S307
    assert mended.dtype == np.uint8
    order = np.argsort(pixels.ravel(), kind="stable")
    assert (np.diff(mended.ravel()[order].astype(int)) >= 0).all()
    assert int(mended.max()) - int(mended.min()) > 200
    assert open_arrays(save(x=mended, y=Y), "set.npz").channels == X.shape[3]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": X, "X_train": X, "y_train": Y}, "X_train and x_train could both be"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "holds x_test and no labels of it"),
        ({"x_train": X, "y_train": Y, "x_test": X[..., :1], "y_test": Y}, "differ in their chan"),
        ({"x": X, "y": np.eye(3)[Y] * 0.5}, "numbers with fractions"),
        ({"x": X, "y": np.eye(3)[Y] * 2}, "no rows of zeros and ones"),
        ({"arr_0": X, "arr_1": X}, "no x and y"),
        ({"x": X, "y": np.array(["a", "b", "c"])[Y], "class_names": np.array(["a", "b"])},
         "class_names lacks 'c'"),
    ],
)  # fmt: skip
def test_arrays_that_leave_a_question(save, arrays, message):
    with pytest.raises(UserError, match=message):
        open_arrays(save(**arrays), "set.npz")
