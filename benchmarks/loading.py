"""Images a second and processor time an image of the training transform, beside the ordinary way.

python benchmarks/loading.py
"""

import argparse
import io
import resource
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from vitreous.bench.machine import where
from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import normalise
from vitreous.data.crop import RandomCrop
from vitreous.data.draws import Draws
from vitreous.data.faults import Faults
from vitreous.data.loader import TrainingLoader
from vitreous.data.open import open_dataset
from vitreous.data.packing import Packing
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sharding import write_shards
from vitreous.data.sources.encoded import EncodedPart
from vitreous.data.workers import Workers

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "flower_photos_originals_40.tar"
RULE = Preprocessing(size=(224, 224))
AUGMENTATION = Augmentation(crop_area=(0.08, 1.0), flip=0.5)
BATCH, WORKERS = 32, 2

# Batches before the clock starts and after it stops: readers are as far ahead at both moments.
# Else what the ordinary way's two processes have nearly done when the first batch comes, a second
# batch, would count as done in no time.
BEFORE, AFTER = 4, 6

# Name -> (size, deviation of the noise that gives a file the bytes of a photograph at that size,
# batches on the clock a round).
SETS = {"500 x 375": ((500, 375), 2.0, 32), "2000 x 1500": ((2000, 1500), 4.0, 8)}
SHARDS = "the same as shards, 341 x 256"


def write_photos(folder: Path, size: tuple[int, int], noise: float) -> None:
    """Flower photos at one size with a sensor's noise, JPEG q92 4:2:0, as folders of a class."""
    draw = np.random.default_rng(0)
    classes = [folder / "train" / name for name in ("even", "odd")]
    for own in classes:
        own.mkdir(parents=True)
    with tarfile.open(PHOTOS) as archive:
        members = [member for member in archive if member.name.endswith(".jpg")]
        for number, member in enumerate(members):
            file = archive.extractfile(member)
            assert file is not None
            with Image.open(io.BytesIO(file.read())) as image:
                photo = image.convert("RGB")
            if photo.height > photo.width:
                photo = photo.rotate(90, expand=True)
            pixels = np.asarray(photo.resize(size, Image.Resampling.BICUBIC), np.float32)
            pixels = pixels + draw.normal(0, noise, (*pixels.shape[:2], 1))
            photo = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            photo.save(classes[number % 2] / f"{number}.jpg", quality=92, subsampling=2)


class Ordinary(Dataset[torch.Tensor]):
    """Pillow decodes the whole image, crops and resizes; a float tensor is normalised."""

    def __init__(self, folder: Path, count: int) -> None:
        self.paths, self.count = sorted(folder.glob("train/*/*.jpg")), count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> torch.Tensor:
        draw = np.random.default_rng((0, index))
        (crop,) = RandomCrop.drawn(AUGMENTATION, Draws(0, np.array([index])))
        with Image.open(self.paths[index % len(self.paths)]) as file:
            image = file.convert("RGB")
        top, left, height, width = crop(image.height, image.width)
        image = image.crop((left, top, left + width, top + height))
        image = image.resize((224, 224), Image.Resampling.BICUBIC)
        if draw.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        return pixels.float().div(255).sub(0.5).div(0.5)


def ordinary(folder: Path, steps: int) -> Iterator[torch.Tensor]:
    dataset = Ordinary(folder, steps * BATCH)
    yield from DataLoader(dataset, BATCH, shuffle=True, num_workers=WORKERS)


def ours(folder: Path, steps: int) -> Iterator[torch.Tensor]:
    part = open_dataset(folder).parts["train"]
    loader = TrainingLoader(
        part,
        RULE,
        AUGMENTATION,
        batch_size=BATCH,
        seed=0,
        faults=Faults(len(part.labels)),
        workers=Workers(kind="threads", count=WORKERS),
        cache_bytes=0,
    )
    for batch in loader.batches(0, steps):
        yield normalise(batch.images, RULE)


def measure(
    way: Callable[[Path, int], Iterator[torch.Tensor]], folder: Path, steps: int
) -> tuple[float, float]:
    """Seconds an image: on the clock while readers are at work, and of processors in all."""
    used = processor_seconds()
    done = 0
    total = BEFORE + steps + AFTER
    for batch in way(folder, total):
        assert len(batch) == BATCH
        done += 1
        if done == BEFORE:
            begin = time.perf_counter()
        if done == BEFORE + steps:
            seconds = time.perf_counter() - begin
    return seconds / (steps * BATCH), (processor_seconds() - used) / (total * BATCH)


def processor_seconds() -> float:
    """Of this program and of those it started that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(where())
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        sets = {}
        for name, (size, noise, steps) in SETS.items():
            sets[name] = (Path(temporary) / name, steps)
            write_photos(sets[name][0], size, noise)
        originals, steps = sets["500 x 375"]
        sets[SHARDS] = (Path(temporary) / SHARDS, steps)
        write_shards(open_dataset(originals), sets[SHARDS][0], packing=Packing(max_side=256))
        for name, (folder, _) in sets.items():
            part = open_dataset(folder).parts["train"]
            assert isinstance(part, EncodedPart)
            sizes = [len(part.file(index)) for index in range(len(part.names))]
            print(f"{name}: {statistics.mean(sizes) / 1000:.0f} KB a file")
        for round_ in range(options.rounds + 1):
            for name, (folder, steps) in sets.items():
                ways = (
                    {"vitreous": ours}
                    if name == SHARDS
                    else {"ordinary": ordinary, "vitreous": ours}
                )
                for way, batches in ways.items():
                    measured = measure(batches, folder, steps)
                    if round_:
                        results.setdefault((name, way), []).append(measured)
    print("\n| images | way | images/s | processor ms an image | ratio, clock | ratio, processor |")
    print("|---|---|---|---|---|---|")
    for (name, way), rounds in results.items():
        reference = "500 x 375" if name == SHARDS else name
        clock, processor = (statistics.median(column) for column in zip(*rounds, strict=True))
        pairs = list(zip(results[reference, "ordinary"], rounds, strict=True))
        ratios = [statistics.median(a[i] / b[i] for a, b in pairs) for i in (0, 1)]
        print(
            f"| {name} | {way} | {1 / clock:.0f} | {1000 * processor:.2f} | "
            f"{ratios[0]:.2f} | {ratios[1]:.2f} |"
        )


if __name__ == "__main__":
    main()
