"""How many duplicates are found, what else is taken for one, and how fast.

python benchmarks/duplicates.py flower_photos_240.tar cifar10_jpeg_train.npz cifar10_jpeg_test.npz

Of the first data set, 1,000 photographs get a copy each that was changed, 250 in each of four ways,
and all are searched together; a second thousand is changed in all ways at once. The others are
timed: everything that is in them, as one set.
"""

import io
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from vitreous.bench.machine import where
from vitreous.data.decode import decode
from vitreous.data.duplicates import SIMILARITY, find_duplicates
from vitreous.data.looks import look
from vitreous.data.open import open_dataset
from vitreous.data.sample import Part
from vitreous.data.split import Subset

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def half(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    size = image.width // 2, image.height // 2
    return image.resize(size, Image.Resampling.BICUBIC)


def recompressed(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.fromarray(decode(file.getvalue(), "copy"))


def cropped(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    width, height = round(0.95 * image.width), round(0.95 * image.height)
    left = int(draw.integers(image.width - width + 1))
    top = int(draw.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def mirrored(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def everything(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    return recompressed(half(mirrored(cropped(image, draw), draw), draw), draw)


CHANGES: dict[str, Change] = {
    "resized to half": half,
    "JPEG, quality 40": recompressed,
    "5 % of each side cut off, anywhere": cropped,
    "mirrored": mirrored,
}


class Made:
    """A part of changed copies; `sources` are the positions of what they were made of."""

    def __init__(self, part: Subset, sources: Sequence[int], changes: Sequence[Change]) -> None:
        self.part, self.sources, self.changes = part, sources, changes
        self.names = [f"made/{number}" for number in range(len(sources))]
        self.labels = part.labels[np.array(sources)]

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        """One changed copy."""
        image = Image.fromarray(self.part.read(self.sources[index]))
        changed = self.changes[index](image, np.random.default_rng(index))
        return np.array(changed.convert("RGB"))


def whole(addresses: Sequence[str]) -> Subset:
    return joined([part for address in addresses for part in open_dataset(address).parts.values()])


def joined(parts: Sequence[Part]) -> Subset:
    counts = [len(part.labels) for part in parts]
    positions = np.concatenate([np.arange(count) for count in counts])
    return Subset(parts, positions, np.repeat(np.arange(len(parts)), counts).astype(np.uint8))


def quality(address: str) -> None:
    photos = whole([address])
    count = len(photos.labels)
    real = {(pair.first, pair.second) for pair in find_duplicates(look(photos))}
    print(f"\n{address}: {count:,} images, {len(real)} pairs as they are")
    chosen = np.random.default_rng(0).permutation(count)[:1000].tolist()
    ways = [way for way in CHANGES.values() for _ in range(250)]
    rows = []
    for title, changes in (("each way", ways), ("all ways at once", [everything] * 1000)):
        made = Made(photos, chosen, changes)
        both = joined([photos, made])
        found = {(pair.first, pair.second) for pair in find_duplicates(look(both))}
        origin = [*range(count), *chosen]
        alike = real | {(b, a) for a, b in real} | {(a, a) for a in range(count)}
        named = {a for a, b in found if (origin[a], origin[b]) in alike}
        hits = [count + number in named for number in range(1000)]
        wrong = [pair for pair in found if (origin[pair[0]], origin[pair[1]]) not in alike]
        if title == "each way":
            rows += [
                (way, sum(hits[k * 250 : k * 250 + 250]), 250) for k, way in enumerate(CHANGES)
            ]
        rows.append((title, sum(hits), 1000))
        print(f"{title}: {len(wrong)} pairs of {len(both.labels):,} images are neither: {wrong}")
    print(f"\n| changed (similarity >= {SIMILARITY}) | found | of | |\n|---|---:|---:|---:|")
    for way, hit, total in rows:
        print(f"| {way} | {hit} | {total} | {hit / total:.1%} |")


def speed(addresses: Sequence[str]) -> None:
    part = whole(addresses)
    moments = [clocks()]
    looks = look(part)
    moments.append(clocks())
    found = find_duplicates(looks)
    moments.append(clocks())
    print(
        f"\n{' and '.join(addresses)}: {len(looks):,} images; {len(found):,} pairs, "
        f"{sum(pair.exact for pair in found):,} of them equal, "
        f"{sum(pair.mirrored for pair in found):,} mirrored"
    )
    print("\n| seconds | reading | comparing |\n|---|---:|---:|")
    for name, (begin, looked, end) in zip(
        ("wall", "processor"), zip(*moments, strict=True), strict=True
    ):
        print(f"| {name} | {looked - begin:.0f} | {end - looked:.0f} |")


def clocks() -> tuple[float, float]:
    """The clock on the wall, which a busy machine stretches, and the processors' own."""
    return time.perf_counter(), time.process_time()


def main() -> None:
    print(where())
    first, *others = sys.argv[1:]
    quality(first)
    if others:
        speed(others)


if __name__ == "__main__":
    main()
