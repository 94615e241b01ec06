"""The user's data sets, found by name in one folder, with their pixels in memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.open import EMBEDDED, open_dataset
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import Dataset, Part
from vitreous.data.sources.pixels import PixelPart
from vitreous.data.split import with_validation
from vitreous.data.transform import fit_for_test
from vitreous.errors import BadImageError, UserError


@dataclass(frozen=True)
class Known:
    """A data set that experiments ask for.

    Attributes:
        title: What people call it.
        names: Under which it may lie in the folder; where the parts are files of their own, the
            train part's name, and then the test part's.
        get: How to get it.
    """

    title: str
    names: tuple[tuple[str, ...], ...]
    get: str


KNOWN = {
    "fashion-mnist": Known(
        "Fashion-MNIST",
        (("fashion_mnist",), ("fashion-mnist",), ("FashionMNIST/raw",)),
        "put its four .gz files (github.com/zalandoresearch/fashion-mnist) into fashion_mnist/",
    ),
    "cifar10": Known(
        "CIFAR-10",
        (
            ("cifar-10-batches-py",),
            ("cifar-10-batches-bin",),
            ("cifar10",),
            ("cifar10_jpeg_train.npz", "cifar10_jpeg_test.npz"),
        ),
        "unpack cifar-10-python.tar.gz of www.cs.toronto.edu/~kriz/cifar.html",
    ),
    "flowers": Known(
        "five flowers",
        (("flower_photos",), ("flower_photos.tar",), ("flower_photos_240.tar",)),
        "unpack flower_photos.tgz of download.tensorflow.org/example_images",
    ),
    "cifar100": Known(
        "CIFAR-100",
        (("cifar-100-python",), ("cifar-100-binary",), ("cifar100",)),
        "unpack cifar-100-python.tar.gz of www.cs.toronto.edu/~kriz/cifar.html",
    ),
    "pets": Known(
        "Oxford Pets",
        (("oxford-iiit-pet",), ("pets",)),
        "unpack both archives of www.robots.ox.ac.uk/~vgg/data/pets into oxford-iiit-pet/",
    ),
    "flowers102": Known(
        "Flowers-102",
        (("flowers-102",), ("flowers102",)),
        "unpack the downloads of www.robots.ox.ac.uk/~vgg/data/flowers/102 into flowers-102/",
    ),
    "imagenet": Known(
        "ImageNet",
        (("imagenet",), ("ILSVRC2012",)),
        "unpack ILSVRC-2012 of image-net.org into imagenet/",
    ),
}


_SAMPLED = 16


class Collection:
    """Data sets in one folder; each is read once, and kept as uint8 pixels of the asked size.

    Args:
        folder: Of the user.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pixels = cache(self._pixels)

    def find(self, name: str) -> tuple[Path, ...]:
        """Where a data set of `KNOWN` lies: one path, or one for each part.

        Raises:
            UserError: It is not there; says how to get it.
        """
        known = KNOWN[name]
        for names in known.names:
            paths = tuple(self.folder / one for one in names)
            if all(path.exists() for path in paths):
                return paths
        raise UserError(
            f"{known.title} is not in {self.folder} (looked for "
            f"{', '.join(' and '.join(names) for names in known.names)}): {known.get} there, or "
            "give another --data"
        )

    def open(self, name: str) -> Dataset:
        """A data set of `KNOWN`, or an embedded one, with a train and a test part; not read yet.

        Where it comes as a whole, a stratified fifth is the test part, the same for all seeds.

        Raises:
            UserError: It is not there, or cannot be read.
        """
        if name in EMBEDDED:
            return EMBEDDED[name]()
        paths = self.find(name)
        whole = open_dataset(paths[0])
        if len(paths) > 1:
            parts = {"train": whole.parts["train"], "test": open_dataset(paths[1]).parts["train"]}
            return replace(whole, parts=parts)
        if "test" in whole.parts:
            return whole
        split = with_validation(whole, 0.2, 0)
        parts = {"train": split.parts["train"], "test": split.parts["validation"]}
        return replace(whole, parts=parts)

    def _pixels(self, name: str, side: int) -> Dataset:
        dataset = self.open(name)
        rule = Preprocessing(
            size=(side, side),
            channels=dataset.channels,
            crop_fraction=1.0,
            mean=(0.5,) * dataset.channels,
            std=(0.5,) * dataset.channels,
        )
        parts: dict[str, Part] = {}
        for part in ("train", "test"):
            stored = dataset.parts[part]
            pixels = _read(stored, rule)
            parts[part] = PixelPart(stored.names, stored.labels, partial(_same, pixels))
        return replace(dataset, parts=parts, image_size=(side, side), notes={})


def first_of_each_class(
    dataset: Dataset,
    images: int,
    seed: int,
    *,
    validation: int = 0,
    test_images: int | None = None,
) -> Dataset:
    """A data set with fewer training images, an equal share of each class (as near as can be).

    Smaller subsets by the same seed are parts of larger ones.

    Args:
        dataset: Pixels in memory.
        images: Training images, all where there are no more.
        seed: Of the choice.
        validation: Images that the data set's other training images give to a validation part.
        test_images: Test images, the same for all seeds; all where not given.
    """
    parts = dict(dataset.parts)
    train = dataset.parts["train"]
    assert isinstance(train, PixelPart)
    order = _balanced(train.labels, seed)
    if images < len(order):
        parts["train"] = _chosen(train, order[:images])
    if validation:
        parts["validation"] = _chosen(train, order[images : images + validation])
    test = dataset.parts.get("test")
    if test_images is not None and isinstance(test, PixelPart):
        parts["test"] = _chosen(test, _balanced(test.labels, 0)[:test_images])
    return replace(dataset, parts=parts)


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 over classes, labels and all pixels of a data set in memory.

    Of one that is read from files while it is trained on, see `sampled_fingerprint`.
    """
    digest = hashlib.sha256(repr(dataset.class_names).encode())
    for name, part in sorted(dataset.parts.items()):
        if not isinstance(part, PixelPart):
            digest.update(sampled_fingerprint({name: part}).encode())
            continue
        digest.update(f"{name} {part.pixels.shape}".encode())
        digest.update(part.labels.tobytes())
        digest.update(part.pixels.tobytes())
    return digest.hexdigest()[:16]


def sampled_fingerprint(parts: Mapping[str, Part]) -> str:
    """SHA-256 over the names and labels of all images of some parts, and the pixels of a few.

    Sets of the same names may be of other sizes, or encoded again: 16 images of each part, spread
    evenly, show it, where reading all would take longer than many a trial.

    Args:
        parts: By name; not in memory.
    """
    digest = hashlib.sha256()
    for name, part in sorted(parts.items()):
        count = len(part.labels)
        digest.update(repr((name, list(part.names), part.labels.shape)).encode())
        digest.update(part.labels.tobytes())
        places = np.linspace(0, count - 1, min(count, _SAMPLED)).round().astype(int)
        for place in places.tolist():
            try:
                pixels = part.read(place)
            except BadImageError:  # the trial skips it too, or refuses
                continue
            digest.update(repr(pixels.shape).encode())
            digest.update(pixels.tobytes())
    return digest.hexdigest()[:16]


def _chosen(part: PixelPart, places: Int64[np.ndarray, " n"]) -> Part:
    return PixelPart(
        [part.names[place] for place in places.tolist()],
        part.labels[places],
        partial(_same, part.pixels[places]),
    )


def _balanced(labels: Int64[np.ndarray, " n"], seed: int) -> Int64[np.ndarray, " n"]:
    """All places, shuffled, and ordered so that classes take turns."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels[order] == label)
        turn[members] = np.arange(len(members))
    return order[np.argsort(turn, kind="stable")]


def _read(part: Part, rule: Preprocessing) -> UInt8[np.ndarray, "n H W C"]:
    if isinstance(part, PixelPart) and part.pixels.shape[1:3] == rule.size:
        return part.pixels
    shape = (len(part.labels), *rule.size, rule.channels)
    pixels = np.empty(shape, np.uint8)
    for index in range(len(pixels)):
        image = part.read(index, min(rule.size))
        pixels[index] = fit_for_test(image, rule).permute(1, 2, 0).numpy()
    return pixels


def _same(pixels: UInt8[np.ndarray, "n H W C"]) -> UInt8[np.ndarray, "n H W C"]:
    return pixels
