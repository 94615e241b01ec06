"""A million images in shards: time to open, memory and images a second over an epoch of training.

python benchmarks/million.py
python benchmarks/million.py --images 100000 --folder /scratch
"""

import argparse
import gc
import hashlib
import io
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from vitreous.bench.machine import where
from vitreous.data.augmentation import Augmentation
from vitreous.data.faults import Faults
from vitreous.data.loader import TrainingLoader
from vitreous.data.open import open_dataset
from vitreous.data.order import Order
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.shard_index import (
    SetIndex,
    ShardIndex,
    write_set_index,
    write_shard_index,
)
from vitreous.data.split import with_validation
from vitreous.data.workers import Workers

CLASSES = 1000
PER_SHARD = 10_000
BATCH = 512
BLOCK = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--reads", type=int, default=200_000, help="at random, by one thread")
    parser.add_argument("--batches", type=int, help="of the epoch; all where not given")
    parser.add_argument("--scan", action="store_true", help="open without the index, too")
    parser.add_argument("--folder", help="where to build the set; removed at the end")
    options = parser.parse_args()
    print(where())
    folder = Path(tempfile.mkdtemp(prefix="million-", dir=options.folder))
    try:
        begin = time.perf_counter()
        build(folder, options.images)
        print(f"built {options.images:,} images in {time.perf_counter() - begin:.0f} s")
        measure(folder, options.reads)
        epoch(folder, options.batches)
        if options.scan:
            for index in [*folder.glob("*.index"), folder / "index.json"]:
                index.unlink()
            print("\nwithout an index:")
            measure(folder, options.reads // 10)
    finally:
        shutil.rmtree(folder)


def build(folder: Path, images: int) -> None:
    """Tars and index as `vitreous data shard` writes them, of one 8 x 8 JPEG many times."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 120, 60)).save(file, "JPEG")
    image = file.getvalue()
    names = []
    for first in range(0, images, PER_SHARD):
        numbers = np.arange(first, min(first + PER_SHARD, images))
        tar = folder / f"train-{first // PER_SHARD:06d}.tar"
        pieces = []
        for number in numbers.tolist():
            pieces.append(member(f"{number:08d}.jpg", image))
            pieces.append(member(f"{number:08d}.cls", str(number % CLASSES).encode()))
        data = b"".join([*pieces, bytes(2 * BLOCK)])
        tar.write_bytes(data)
        lengths = np.array([len(piece) for piece in pieces])
        offsets = np.cumsum(np.concatenate([[0], lengths[:-1]]))[::2] + BLOCK
        index = ShardIndex(
            names=PackedNames.pack(f"class_{n % CLASSES:04d}/{n:08d}.jpg" for n in numbers),
            offsets=offsets,
            sizes=np.full(len(numbers), len(image)),
            labels=numbers % CLASSES,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        write_shard_index(tar, index)
        names.append(tar.name)
    about = SetIndex(
        class_names=tuple(f"class_{number:04d}" for number in range(CLASSES)),
        channels=3,
        image_size=(8, 8),
        multi_label=False,
        made={"source": "synthetic"},
        shards={"train": tuple(names)},
        complete=True,
    )
    write_set_index(folder, about)


def member(name: str, data: bytes) -> bytes:
    """One member of a ustar archive."""
    header = bytearray(BLOCK)
    header[: len(name)] = name.encode()
    header[100:124] = b"0000644\0" + b"0000000\0" * 2
    header[124:148] = b"%011o\0" % len(data) + b"0" * 11 + b"\0"
    header[148:156] = b" " * 8
    header[156:157] = b"0"
    header[257:265] = b"ustar\00000"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data + bytes(-len(data) % BLOCK)


def measure(folder: Path, reads: int) -> None:
    before = resident()
    begin = time.perf_counter()
    dataset = open_dataset(folder)
    seconds = time.perf_counter() - begin
    part = dataset.parts["train"]
    gc.collect()
    opened = resident()
    print(f"opened {len(part.labels):,} images in {seconds:.2f} s: {opened - before:.0f} MB")
    order = np.random.default_rng(0).permutation(len(part.labels))[:reads].tolist()
    print("\n| images read | resident, MB | images/s |\n|---|---|---|")
    for piece in np.array_split(order, 5):
        begin = time.perf_counter()
        for index in piece.tolist():
            part.read(index)
            part.names[index]
        rate = len(piece) / (time.perf_counter() - begin)
        print(f"| {len(piece):,} | {resident():.0f} | {rate:,.0f} |")


def epoch(folder: Path, batches: int | None) -> None:
    """An epoch by the loader that training uses, of what a validation part leaves."""
    dataset = open_dataset(folder)
    gc.collect()
    before, begin = resident(), time.perf_counter()
    part = with_validation(dataset, 0.01).parts["train"]
    gc.collect()
    print(
        f"\nsplit off 1 %: {time.perf_counter() - begin:.1f} s, {resident() - before:.0f} MB; "
        f"{len(part.labels):,} images are left to train on"
    )
    loader = TrainingLoader(
        part,
        Preprocessing(size=(16, 16)),
        Augmentation(crop_area=(0.08, 1.0), flip=0.5),
        batch_size=BATCH,
        seed=0,
        faults=Faults(len(part.labels)),
        workers=Workers(kind="threads", count=2),
        cache_bytes=0,
    )
    steps = min(batches or len(part.labels), len(part.labels) // BATCH)
    seen = np.zeros(len(part.labels), np.uint8)
    print("\n| images | resident, MB | images/s |\n|---|---|---|")
    begin = time.perf_counter()
    told = steps // 10 or 1
    for step, batch in enumerate(loader.batches(0, steps), 1):
        np.add.at(seen, batch.index.numpy(), 1)
        if step % told == 0:
            rate = told * BATCH / (time.perf_counter() - begin)
            print(f"| {step * BATCH:,} | {resident():.0f} | {rate:,.0f} |", flush=True)
            begin = time.perf_counter()
    print(f"\nimages seen once: {(seen == 1).sum():,}; more than once: {(seen > 1).sum():,}")
    begin = time.perf_counter()
    order = Order(len(part.labels), 0)
    _, middle = order[np.arange(steps // 2 * BATCH, (steps // 2 + 1) * BATCH)]
    seconds = time.perf_counter() - begin
    print(f"position restored, from one number to {BATCH} images: {seconds:.3f} s")
    half = next(loader.batches(steps // 2, steps))
    print(f"the same that the loader reads: {half.index.tolist() == middle.tolist()}")


def resident() -> float:
    """Memory of this process, MB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
