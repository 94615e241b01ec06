"""Images a second and processor time an image of the training transform, beside the ordinary way.

python benchmarks/loading.py
"""

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
from vitreous.data.faults import Faults
from vitreous.data.loader import TrainingLoader
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sources.encoded import EncodedPart
from vitreous.data.sources.folder import FileStore
from vitreous.data.workers import Workers

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "flower_photos_originals_40.tar"
RULE = Preprocessing(size=(224, 224))
AUGMENTATION = Augmentation(crop_area=(0.08, 1.0), flip=0.5)
BATCH, WORKERS, ROUNDS = 32, 2, 7

# Name -> (size, deviation of the noise that gives a file the bytes of a photograph at that size,
# images a round).
SETS = {"500 x 375": ((500, 375), 2.0, 1024), "2000 x 1500": ((2000, 1500), 4.0, 128)}
SHARDS = "the same as shards, 341 x 256"


def write_photos(folder: Path, size: tuple[int, int], noise: float) -> list[str]:
    """Flower photos at one size with a sensor's noise, JPEG q92 4:2:0."""
    draw = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
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
            photo.save(folder / f"{number}.jpg", quality=92, subsampling=2)
    return sorted(path.name for path in folder.iterdir())


def write_shards(folder: Path, originals: Path) -> list[str]:
    """Photos of another folder as `data shard --max-side 256` writes them."""
    folder.mkdir()
    for path in originals.iterdir():
        with Image.open(path) as image:
            small = image.resize((341, 256), Image.Resampling.BICUBIC)
        small.save(folder / path.name, quality=92, subsampling=2)
    return sorted(path.name for path in folder.iterdir())


class Ordinary(Dataset[torch.Tensor]):
    """Pillow decodes the whole image, crops and resizes; a float tensor is normalised."""

    def __init__(self, folder: Path, names: list[str], count: int) -> None:
        self.folder, self.names, self.count = folder, names, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> torch.Tensor:
        draw = np.random.default_rng((0, index))
        crop = RandomCrop.drawn(AUGMENTATION, draw)
        with Image.open(self.folder / self.names[index % len(self.names)]) as file:
            image = file.convert("RGB")
        top, left, height, width = crop(image.height, image.width)
        image = image.crop((left, top, left + width, top + height))
        image = image.resize((224, 224), Image.Resampling.BICUBIC)
        if draw.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        return pixels.float().div(255).sub(0.5).div(0.5)


def ordinary(folder: Path, names: list[str], count: int) -> Iterator[torch.Tensor]:
    dataset = Ordinary(folder, names, count)
    yield from DataLoader(dataset, BATCH, shuffle=True, num_workers=WORKERS)


def ours(folder: Path, names: list[str], count: int, workers: Workers) -> Iterator[torch.Tensor]:
    store = FileStore(folder, names)
    part = EncodedPart(names, np.zeros(len(names), np.int64), np.arange(len(names)), store, 3)
    loader = TrainingLoader(
        part,
        RULE,
        AUGMENTATION,
        batch_size=BATCH,
        seed=0,
        faults=Faults(len(names)),
        workers=workers,
        cache_bytes=0,
    )
    for batch in loader.batches(0, count // BATCH):
        yield normalise(batch.images, RULE)


def measure(batches: Callable[[], Iterator[torch.Tensor]], count: int) -> tuple[float, float]:
    """Seconds on the clock from the first batch to the last, and of processors in all."""
    used = processor_seconds()
    iterator = batches()
    seen = -len(next(iterator))
    begin = time.perf_counter()
    for batch in iterator:
        seen += len(batch)
    seconds = (time.perf_counter() - begin) / (seen + BATCH)
    return seconds, (processor_seconds() - used) / count


def processor_seconds() -> float:
    """Of this program and of those it started that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    torch.set_num_threads(1)
    print(where())
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        sets = {}
        for name, (size, noise, count) in SETS.items():
            folder = Path(temporary) / name
            sets[name] = (folder, write_photos(folder, size, noise), count)
        folder = Path(temporary) / SHARDS
        originals, _, count = sets["500 x 375"]
        sets[SHARDS] = (folder, write_shards(folder, originals), count)
        for name, (folder, names, _) in sets.items():
            mean = statistics.mean((folder / file).stat().st_size for file in names)
            print(f"{name}: {mean / 1000:.0f} KB a file")
        for round_ in range(ROUNDS + 1):
            for name, (folder, names, count) in sets.items():
                ways = {
                    "ordinary": lambda f=folder, n=names, c=count: ordinary(f, n, c),
                    "vitreous": lambda f=folder, n=names, c=count: ours(
                        f, n, c, Workers(kind="threads", count=WORKERS)
                    ),
                }
                for way, batches in ways.items():
                    measured = measure(batches, count)
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
