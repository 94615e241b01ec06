import hashlib

import numpy as np

from vitreous.data.sources.digits import open_digits


def test_counts_and_shapes():
    dataset = open_digits()
    assert dataset.address == "digits"
    assert dataset.class_names == tuple("0123456789")
    assert dataset.channels == 1
    assert dataset.image_size == (8, 8)
    assert {name: len(part.names) for name, part in dataset.parts.items()} == {
        "train": 1437,
        "test": 360,
    }
    counts = {name: np.bincount(part.labels) for name, part in dataset.parts.items()}
    assert (np.abs(counts["test"] * 4 - counts["train"]) <= 5).all()  # a fifth of each class


def test_every_scan_is_in_one_part_under_its_number():
    from sklearn.datasets import load_digits

    scans = load_digits()
    seen = set()
    for part in open_digits().parts.values():
        for index in range(0, len(part.names), 7):
            number = int(part.names[index].removeprefix("digits/"))
            assert part.labels[index] == scans.target[number]
            expected = np.floor(scans.images[number] * 255 / 16 + 0.5)
            np.testing.assert_array_equal(part.read(index)[..., 0], expected)
        seen |= set(part.names)
    assert seen == {f"digits/{number:04d}" for number in range(1797)}


def test_the_test_part_never_changes():
    names = "\n".join(open_digits().parts["test"].names)
    assert hashlib.sha256(names.encode()).hexdigest()[:16] == "db1bc16c8a706b6f"


def test_pickle_holds_no_pixels(send):
    part = open_digits().parts["train"]
    pixels = part.read(5)
    copy, size = send(part)
    assert size < part.pixels.nbytes
    np.testing.assert_array_equal(copy.read(5), pixels)


def test_reading_gives_a_copy():
    part = open_digits().parts["train"]
    part.read(0)[:] = 7
    assert not (part.read(0) == 7).all()
