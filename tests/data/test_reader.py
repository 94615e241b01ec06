"""Images that lie in memory are taken many at once, and are the same as one by one."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stores import Plain
from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch
from vitreous.data.cache import PixelCache
from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader, TrainingLoader
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import Part, gather
from vitreous.data.sources.encoded import EncodedPart
from vitreous.data.sources.pixels import PixelPart, numbered
from vitreous.data.split import Subset
from vitreous.data.workers import Workers

RULE = Preprocessing(size=(9, 7))
MUCH = Augmentation(
    flip=0.5, rotate=10, translate=0.1, hue=0.1, policy="randaugment", erase=0.5, repeats=2
)


def pixels(count: int = 20, size: tuple[int, int] = (9, 7)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3)).astype(np.uint8)


def in_memory(images: np.ndarray) -> PixelPart:
    return PixelPart(numbered("x", len(images)), np.arange(len(images)) % 3, lambda: images)


class OneByOne:
    """A part without its way to give many at once."""

    def __init__(self, part: Part) -> None:
        self.names, self.labels, self.read = part.names, part.labels, part.read


def training(part: Part, augmentation: Augmentation = MUCH, steps: int = 6) -> list[Batch]:
    loader = TrainingLoader(
        part,
        RULE,
        augmentation,
        batch_size=8,
        seed=0,
        faults=Faults(len(part.labels)),
        workers=Workers(kind="threads", count=2),
    )
    return list(loader.batches(0, steps))


def evaluation(part: Part, rule: Preprocessing = RULE) -> list[Batch]:
    return list(EvaluationLoader(part, rule, batch_size=8, faults=Faults(len(part.labels))))


def assert_same(some: Sequence[Batch], others: Sequence[Batch]) -> None:
    for one, other in zip(some, others, strict=True):
        for name, value in vars(one).items():
            assert value is None or torch.equal(value, getattr(other, name)), name


@pytest.mark.parametrize("size", [(9, 7), (12, 7), (5, 5)])
@pytest.mark.parametrize("augmentation", [MUCH, Augmentation(), Augmentation(crop_area=(0.5, 1))])
def test_many_at_once_are_as_one_by_one(size: tuple[int, int], augmentation: Augmentation) -> None:
    part = in_memory(pixels(size=size))
    assert_same(training(part, augmentation), training(OneByOne(part), augmentation))
    assert_same(evaluation(part), evaluation(OneByOne(part)))


def test_they_are_taken_at_once_where_nothing_is_cut_or_resized(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("read one by one")

    monkeypatch.setattr(PixelPart, "read", read)
    part = in_memory(pixels())
    assert all(batch.mask.all() for batch in training(Subset([part], np.arange(3, 15))))
    images = torch.cat([batch.images for batch in evaluation(part)])[:20]
    assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), pixels())
    with pytest.raises(AssertionError, match="one by one"):
        evaluation(part, Preprocessing(size=(9, 7), crop_fraction=0.875))
    assert evaluation(part, Preprocessing(size=(9, 7), fit="squash", crop_fraction=0.875))


def test_what_comes_is_a_copy() -> None:
    images = pixels()
    before = images.copy()
    part = in_memory(images)
    gather(Subset([part], np.arange(4)), np.array([1, 2]), (9, 7))[:] = 0
    training(part)
    assert np.array_equal(images, before)


def test_a_subset_of_several_parts_gives_what_one_of_them_has() -> None:
    parts = [in_memory(pixels()), in_memory(255 - pixels())]
    mixed = Subset(parts, np.array([3, 4, 5, 6]), np.array([0, 0, 1, 1], np.uint8))
    assert np.array_equal(gather(mixed, np.array([1, 0]), (9, 7)), pixels()[[4, 3]])
    assert np.array_equal(gather(mixed, np.array([2, 3]), (9, 7)), 255 - pixels()[[5, 6]])
    assert gather(mixed, np.array([1, 2]), (9, 7)) is None
    assert_same(training(mixed), training(OneByOne(mixed)))


def files(sizes: Sequence[tuple[int, int]]) -> EncodedPart:
    def encoded(size: tuple[int, int]) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels(1, size)[0]).save(file, "PNG")
        return file.getvalue()

    class Sized(Plain):
        def fetch(self, position: int) -> bytes:
            return encoded(sizes[position])

    count = len(sizes)
    names = [f"{number}.png" for number in range(count)]
    return EncodedPart(names, np.arange(count) % 3, np.arange(count), Sized(b""), 3)


def test_decoded_files_are_taken_at_once_when_all_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part = files([(9, 7)] * 5)
    cached = training(part, steps=12)  # of the last epochs all is there
    monkeypatch.setattr(PixelCache, "gather", lambda *_: None)
    assert_same(cached, training(part, steps=12))


def test_a_cache_gives_at_once_what_it_has_and_what_is_of_one_size() -> None:
    cache = PixelCache(files([(9, 7), (9, 7), (8, 7)]), 1)
    assert cache.gather(np.array([0, 1]), (9, 7)) is None
    both = np.stack([cache.read(0), cache.read(1)])
    assert np.array_equal(cache.gather(np.array([0, 1]), (9, 7)), both)
    cache.read(2)
    assert cache.gather(np.array([0, 2]), (9, 7)) is None
    assert cache.gather(np.array([0, 1]), (8, 7)) is None


@pytest.mark.parametrize(
    ("size", "others"),
    [((9, 7), {}), ((12, 7), {}), ((12, 9), {"crop_area": (0.5, 1)}), ((12, 9), {"window": 1.2})],
    ids=["gathered", "resized", "cropped", "window"],
)
def test_mirror_images_are_as_many_as_asked(size: tuple[int, int], others: dict[str, Any]) -> None:
    """Nothing else that is drawn for an image depends on whether it is mirrored."""
    part = in_memory(pixels(80, size))
    none, half, all_ = (
        torch.cat([batch.images for batch in training(part, asked, steps=10)])
        for asked in (Augmentation(flip=chance, **others) for chance in (0, 0.5, 1))
    )
    assert torch.equal(all_, none.flip(3))
    mirrored = (half == all_).flatten(1).all(1)
    assert torch.equal(half[~mirrored], none[~mirrored])
    assert 25 < mirrored.sum() < 55
