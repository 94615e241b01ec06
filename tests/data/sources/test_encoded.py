import pytest

from vitreous.data.sources.encoded import Entry, check_bytes, check_trained, encoded_dataset
from vitreous.errors import BadImageError, UserError


class Shelf:
    """A store in memory that counts what is fetched; None is a file that is gone."""

    def __init__(self, files: list[bytes | None]) -> None:
        self.files, self.fetched = files, []

    def fetch(self, position: int) -> bytes:
        self.fetched.append(position)
        data = self.files[position]
        if data is None:
            raise FileNotFoundError(2, "No such file or directory")
        return data


@pytest.fixture
def entries() -> list[Entry]:
    return [
        Entry("t/1", "test", "dog"),
        Entry("a", "train", "dog"),
        Entry("b", "train", "cat"),
        Entry("c", "train", "ant"),
    ]


def image(level: int, mode: str = "RGB") -> bytes:
    kind, channels = (b"P6", 3) if mode == "RGB" else (b"P5", 1)
    return kind + b" 1 1 255\n" + bytes([level] * channels)


def test_parts_labels_and_pixels(entries):
    dataset = encoded_dataset("DATA", entries, Shelf([image(i) for i in range(4)]), {"k": "v"})
    assert dataset.address == "DATA"
    assert dataset.class_names == ("ant", "cat", "dog")
    assert dataset.channels == 3
    assert dataset.image_size is None
    assert dataset.notes == {"k": "v"}
    assert list(dataset.parts) == ["train", "test"]
    train, test = dataset.parts["train"], dataset.parts["test"]
    assert train.names == ["a", "b", "c"]
    assert train.labels.tolist() == [2, 1, 0]
    assert [train.read(i)[0, 0, 0] for i in range(3)] == [1, 2, 3]
    assert test.names == ["t/1"]
    assert test.labels.tolist() == [2]
    assert test.read(0).tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize(("colour_at", "channels"), [(None, 1), (3, 3)])
def test_one_channel_where_no_image_has_colour(entries, colour_at, channels):
    files = [image(i, "RGB" if i == colour_at else "L") for i in range(4)]
    dataset = encoded_dataset("DATA", entries, Shelf(files), {})
    assert dataset.channels == channels
    assert dataset.parts["test"].read(0).shape == (1, 1, channels)


def test_opening_looks_at_few_images_over_the_whole_set():
    shelf = Shelf([image(0, "L")] * 10_000)
    entries = [Entry(str(i), "train", "ab"[i % 2]) for i in range(10_000)]
    encoded_dataset("DATA", entries, shelf, {})
    assert len(shelf.fetched) == 32
    assert shelf.fetched[0] == 0
    assert shelf.fetched[-1] == 9999


def test_unreadable_images_are_named_when_read(entries):
    shelf = Shelf([None, b"junk", image(1), image(2)])
    dataset = encoded_dataset("DATA", entries, shelf, {})
    with pytest.raises(BadImageError, match="t/1: No such file"):
        dataset.parts["test"].read(0)
    with pytest.raises(BadImageError, match="a: not an image"):
        dataset.parts["train"].read(0)


def test_nothing_readable_is_refused_at_once(entries):
    with pytest.raises(UserError, match=r"none of 4 images looked at can be read \(t/1: No such"):
        encoded_dataset("DATA", entries, Shelf([None] * 4), {})


@pytest.mark.parametrize("part", ["validation", "test"])
def test_class_that_training_lacks(entries, part):
    entries.append(Entry("x", part, "emu"))
    dataset = encoded_dataset("DATA", entries, Shelf([image(0)] * 5), {})
    labels = {name: part.labels for name, part in dataset.parts.items()}
    with pytest.raises(UserError, match=f"DATA: the {part} part has images of class 'emu'"):
        check_trained("DATA", dataset.class_names, labels)
    del labels[part]
    check_trained("DATA", dataset.class_names, labels)


def test_without_training_classes_are_those_of_all_parts():
    entries = [Entry("1", "validation", "b"), Entry("2", "test", "a")]
    assert encoded_dataset("D", entries, Shelf([image(0)] * 2), {}).class_names == ("a", "b")


def test_huge_files_are_refused():
    check_bytes(512 * 2**20)
    with pytest.raises(OSError, match="over the limit of 512 MiB"):
        check_bytes(512 * 2**20 + 1)
