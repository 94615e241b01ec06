"""Images a second of the training transform where images are small, beside the ordinary way.

python benchmarks/small_images.py
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from vitreous.bench.machine import where
from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import normalise
from vitreous.data.faults import Faults
from vitreous.data.loader import TrainingLoader
from vitreous.data.movement import move
from vitreous.data.open import open_dataset
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import Part
from vitreous.data.split import Subset
from vitreous.data.workers import Workers

DATA = Path(__file__).parents[2] / "shared" / "data"
SHIFT = 4
BATCH, READERS = 128, 2
# Batches before the clock starts and after it stops: readers are as far ahead at both moments.
BEFORE, TIMED, AFTER = 4, 60, 6


class Ordinary(Dataset[tuple[torch.Tensor, int]]):
    """An image at a time: mirrored, shifted, made a float tensor and normalised."""

    def __init__(self, part: Part, count: int) -> None:
        self.part, self.count = part, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        index %= len(self.part.labels)
        pixels = self.part.read(index)
        if torch.rand(()) < 0.5:
            pixels = pixels[:, ::-1]
        H, W = pixels.shape[:2]
        padded = np.pad(pixels, ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
        down, right = torch.randint(2 * SHIFT + 1, (2,)).tolist()
        image = torch.from_numpy(padded[down : down + H, right : right + W].copy())
        return image.permute(2, 0, 1).float().div(255).sub(0.5).div(0.5), self.part.labels[index]


def ordinary(workers: int, part: Part, rule: Preprocessing, batches: int) -> Iterator[object]:
    """PyTorch's loader."""
    return iter(DataLoader(Ordinary(part, BATCH * batches), BATCH, num_workers=workers))


def ours(policy: str, part: Part, rule: Preprocessing, batches: int) -> Iterator[object]:
    """The loader that training uses, and what its objectives do with a batch."""
    loader = TrainingLoader(
        part,
        rule,
        Augmentation(flip=0.5, translate=SHIFT / rule.size[0], policy=policy),  # type: ignore[arg-type]
        batch_size=BATCH,
        seed=0,
        faults=Faults(len(part.labels)),
        workers=Workers(kind="threads", count=READERS),
    )
    for batch in loader.batches(0, batches):
        assert batch.movement is not None
        yield move(normalise(batch.images, rule), batch.movement), batch.labels


def rate(way: Callable[..., Iterator[object]], part: Part, rule: Preprocessing) -> float:
    """Images a second while all readers are at work."""
    batches = way(part, rule, BEFORE + TIMED + AFTER)
    for _ in range(BEFORE):
        next(batches)
    begin = time.perf_counter()
    for _ in range(TIMED):
        next(batches)
    seconds = time.perf_counter() - begin
    for _ in batches:
        pass
    return BATCH * TIMED / seconds


WAYS = {
    "ordinary, one process": partial(ordinary, 0),
    "ordinary, 2 workers": partial(ordinary, READERS),
    "vitreous": partial(ours, "none"),
    "vitreous, TrivialAugment too": partial(ours, "trivialaugment"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(where())
    print("\n| images | way | images/s | x the better ordinary way |\n|---|---|---|---|")
    for address in ("fashion_mnist", "cifar10_jpeg_train.npz"):
        dataset = open_dataset(DATA / address)
        # As many as are read before the clock starts: files are decoded once then, as in training.
        part, channels = (
            Subset([dataset.parts["train"]], np.arange(BEFORE * BATCH)),
            dataset.channels,
        )
        half = (0.5,) * channels
        side = 28 if channels == 1 else 32
        rule = Preprocessing(size=(side, side), channels=channels, mean=half, std=half)
        rounds = [
            {name: rate(way, part, rule) for name, way in WAYS.items()}
            for _ in range(options.rounds + 1)
        ][1:]
        for name in WAYS:
            ratios = [
                one[name] / max(value for other, value in one.items() if "ordinary" in other)
                for one in rounds
            ]
            images = statistics.median(one[name] for one in rounds)
            print(f"| {address} | {name} | {images:,.0f} | {statistics.median(ratios):.2f} |")


if __name__ == "__main__":
    main()
