"""The finder on made pictures, and on the photographs that really hold duplicates."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.data.duplicates import Duplicate, find_duplicates
from vitreous.data.looks import look
from vitreous.data.open import open_dataset
from vitreous.errors import BadImageError


class Shown:
    """A part of given pictures; None cannot be read."""

    def __init__(self, pictures: Sequence[Image.Image | None]) -> None:
        self.pictures = pictures
        self.names = [str(number) for number in range(len(pictures))]
        self.labels = np.zeros(len(pictures), np.int64)

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        picture = self.pictures[index]
        if picture is None:
            raise BadImageError(str(index), "broken")
        return np.array(picture.convert("RGB"))


def scene(seed: int) -> Image.Image:
    """Blobs of many sizes, as photographs have them."""
    draw = np.random.default_rng(seed)
    total = np.zeros((180, 240, 3))
    for side in (3, 6, 12, 24):
        blobs = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
        total += np.asarray(Image.fromarray(blobs).resize((240, 180), Image.Resampling.BICUBIC))
    return Image.fromarray((total / 4).astype(np.uint8))


def compressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(file)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half": lambda image: image.resize((120, 90)),
    "compressed": compressed,
    "corner": lambda image: image.crop((0, 0, 228, 171)),
    "middle": lambda image: image.crop((6, 5, 234, 176)),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "squashed": lambda image: image.resize((100, 100)),
    "grey": lambda image: image.convert("L"),
    "all": lambda image: compressed(
        image.crop((4, 3, 235, 175)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((120, 90))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(change: str) -> None:
    scenes = [scene(seed) for seed in range(12)]
    pairs = find_duplicates(look(Shown([*scenes, CHANGES[change](scenes[5])])))
    assert [(pair.first, pair.second) for pair in pairs] == [(12, 5)]
    assert pairs[0].mirrored == (change in ("mirrored", "all"))
    assert not pairs[0].exact
    assert 0.9 <= pairs[0].similarity <= 1


def test_equal_pixels_are_each_paired_with_the_first() -> None:
    black = Image.new("RGB", (50, 40))
    pictures = [scene(0), black, scene(1), scene(0), black, scene(0), Image.new("RGB", (40, 50))]
    pairs = find_duplicates(look(Shown(pictures)))
    assert pairs == [
        Duplicate(3, 0, 1.0, exact=True),
        Duplicate(4, 1, 1.0, exact=True),
        Duplicate(5, 0, 1.0, exact=True),
    ]
    assert pairs[0].how == "same pixels"


def test_between_two_sets_no_pair_lies_inside_one() -> None:
    mirror = CHANGES["mirrored"]
    train = look(Shown([scene(0), scene(1), scene(0), None, scene(2)]))
    test = look(Shown([scene(3), mirror(scene(1)), scene(0), mirror(scene(1))]))
    pairs = find_duplicates(train, test)
    assert [(p.first, p.second, p.how) for p in pairs] == [
        (0, 2, "same pixels"),
        (1, 1, "mirrored"),
        (1, 3, "mirrored"),
        (2, 2, "same pixels"),
    ]


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [
        scene(seed % 5) if seed < 5 else CHANGES["half"](scene(seed % 5)) for seed in range(9)
    ]
    looks = look(Shown(pictures))
    whole = find_duplicates(looks)
    shares: list[float] = []
    monkeypatch.setattr("vitreous.data.duplicates._BLOCK", 2)
    monkeypatch.setattr("vitreous.data.duplicates._PAIRS", 1)
    blocked = find_duplicates(looks, on_progress=shares.append)
    assert [(p.first, p.second) for p in whole] == [(5, 0), (6, 1), (7, 2), (8, 3)]
    assert [(p.first, p.second) for p in blocked] == [(p.first, p.second) for p in whole]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_nothing_to_compare() -> None:
    nothing = look(Shown([]))
    assert find_duplicates(nothing) == []
    assert find_duplicates(nothing, look(Shown([scene(0)]))) == []
    assert find_duplicates(look(Shown([None, None]))) == []


def test_the_pairs_that_the_flowers_really_hold(shared_data: Path) -> None:
    part = open_dataset(shared_data / "flower_photos_240.tar").parts["train"]
    pairs = find_duplicates(look(part))
    exact = {part.names[pair.first] for pair in pairs if pair.exact}
    assert "flower_photos/tulips/15922772266_1167a06620.jpg" in exact
    assert len(exact) == 3
    # Each was looked at: edits of one photograph, or two shots of one scene.
    assert 25 <= len(pairs) <= 35
    classes = [{part.labels[pair.first], part.labels[pair.second]} for pair in pairs]
    assert sum(len(both) == 2 for both in classes) == 1
