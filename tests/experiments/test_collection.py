import numpy as np
import pytest
from PIL import Image

from vitreous.data.sources.pixels import PixelPart
from vitreous.errors import UserError
from vitreous.experiments.collection import (
    Collection,
    fingerprint,
    first_of_each_class,
    sampled_fingerprint,
)


@pytest.fixture
def flowers(tmp_path):
    """Five photos of each of two classes, of different sizes."""
    draw = np.random.default_rng(0)
    for name in ("daisy", "tulip"):
        folder = tmp_path / "flower_photos" / name
        folder.mkdir(parents=True)
        for number in range(5):
            pixels = draw.integers(0, 256, (20 + number, 24, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


def test_a_set_is_found_split_and_brought_to_one_size(flowers) -> None:
    collection = Collection(flowers)
    dataset = collection.pixels("flowers", 16)
    assert dataset.class_names == ("daisy", "tulip")
    assert {name: len(part.labels) for name, part in dataset.parts.items()} == {
        "train": 8,
        "test": 2,
    }
    assert dataset.parts["train"].read(0).shape == (16, 16, 3)
    assert dataset.image_size == (16, 16)
    assert collection.pixels("flowers", 16) is dataset
    assert not set(dataset.parts["train"].names) & set(dataset.parts["test"].names)


@pytest.mark.parametrize("name", ["flowers", "cifar10", "fashion-mnist"])
def test_a_missing_set_says_how_to_get_it(tmp_path, name) -> None:
    with pytest.raises(UserError, match=r"is not in .* give another --data") as told:
        Collection(tmp_path).pixels(name, 16)
    assert "\n" not in str(told.value)


def test_subsets_are_balanced_and_nested(tiny) -> None:
    small, large = (first_of_each_class(tiny, count, seed=3) for count in (20, 40))
    assert np.bincount(small.parts["train"].labels).max() <= 3
    assert set(small.parts["train"].names) < set(large.parts["train"].names)
    first, again = (small.parts["train"], first_of_each_class(tiny, 20, seed=3).parts["train"])
    assert list(first.names) == list(again.names)
    assert list(first.names) != list(first_of_each_class(tiny, 20, seed=4).parts["train"].names)
    names = list(tiny.parts["train"].names)
    for index in (0, 7, 19):
        place = names.index(first.names[index])
        assert (first.read(index) == tiny.parts["train"].read(place)).all()
        assert first.labels[index] == tiny.parts["train"].labels[place]
    assert len(first_of_each_class(tiny, 10**6, 0).parts["train"].labels) == 60
    held = first_of_each_class(tiny, 20, 3, validation=30).parts
    assert list(held["train"].names) == list(first.names)
    assert len(held["validation"].names) == 30
    assert len(first_of_each_class(tiny, 20, 3, test_images=10).parts["test"].labels) == 10
    assert not set(held["validation"].names) & set(first.names)


def test_the_fingerprint_knows_every_pixel_and_label(tiny) -> None:
    whole = fingerprint(tiny)
    assert whole == fingerprint(first_of_each_class(tiny, 10**6, 0))
    part = first_of_each_class(tiny, 40, seed=0)
    before = fingerprint(part)
    part.parts["train"].pixels[5, 3, 3, 0] ^= 1
    assert fingerprint(part) != before


def test_a_set_encoded_again_or_renamed_far_behind_is_another(flowers) -> None:
    def seen(pixels, names) -> str:
        part = PixelPart(names, np.zeros(len(names), np.int64), lambda: pixels)
        return sampled_fingerprint({"test": part})

    pixels = np.random.default_rng(0).integers(0, 256, (1200, 2, 2, 3), np.uint8)
    names = [f"{number}.png" for number in range(1200)]
    prints = {
        seen(pixels, names),
        seen(pixels ^ 1, names),
        seen(pixels.reshape(1200, 1, 4, 3), names),
        seen(pixels, [*names[:-1], "last.png"]),
    }
    assert len(prints) == 4
    assert seen(pixels.copy(), names) in prints
    assert seen(pixels[:0], []), "no image at all"
    whole = Collection(flowers).open("flowers").parts
    before = sampled_fingerprint(whole)
    (flowers / "flower_photos" / "daisy" / "0.png").write_bytes(b"damaged")
    assert sampled_fingerprint(Collection(flowers).open("flowers").parts) != before
