"""From a part of a data set to batches: ordered by arithmetic, read ahead by threads."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch
from vitreous.data.cache import PixelCache
from vitreous.data.colour import draw_colour
from vitreous.data.faults import Faults
from vitreous.data.movement import draw_movement
from vitreous.data.order import Order
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import Part
from vitreous.data.transform import fit_for_test, fit_for_training
from vitreous.errors import BadImageError, UserError

# A random crop keeps its detail where the decoder gives somewhat more than the model's side.
_DECODE_MARGIN = 1.5


@dataclass(frozen=True, slots=True)
class _Row:
    """One image of a batch, on its way."""

    image: Tensor | None
    index: int
    label: int
    movement: np.ndarray | None = None
    colour: np.ndarray | None = None


class TrainingLoader:
    """Endless full batches of augmented images; which ones is a function of the step alone.

    On several ranks each reads its own stretch of the same batch, in the same order.

    An image that cannot be read is replaced by another, the same one whenever the run is repeated.

    Args:
        part: Images and labels.
        rule: Interpolation, and the largest size that will be asked for.
        augmentation: What is drawn for each sample from (seed, epoch, index).
        batch_size: B, over all ranks.
        seed: Of order and augmentation.
        faults: Where unreadable images are counted.
        threads: Readers; one per core where not given.
        rank: Number of this process.
        world_size: Processes that share each batch; divides `batch_size`.
    """

    def __init__(
        self,
        part: Part,
        rule: Preprocessing,
        augmentation: Augmentation,
        *,
        batch_size: int,
        seed: int,
        faults: Faults,
        threads: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_shares(batch_size, world_size)
        self.part = part
        self.rule = rule
        self.augmentation = augmentation
        self.batch_size = batch_size
        self.share = batch_size // world_size
        self.rank = rank
        self.seed = seed
        self.faults = faults
        self.threads = threads or available_cores()
        self.order = Order(len(part.labels), seed)
        self.cache = PixelCache(part, int(_DECODE_MARGIN * max(rule.size)))

    def batches(
        self, start: int, stop: int, size: tuple[int, int] | None = None
    ) -> Iterator[Batch]:
        """The batches of steps `start` to `stop`, wherever one begins.

        Args:
            start: First step.
            stop: The step after the last.
            size: (H, W) of the images; the rule's where not given.
        """
        rule = self.rule if size is None else replace(self.rule, size=size)
        read = partial(self._row, rule)
        for rows in _read_ahead(map(self._samples, range(start, stop)), read, self.threads):
            yield _collate(rows, self.share, rule)

    def _samples(self, step: int) -> list[tuple[int, int]]:
        first = step * self.batch_size + self.rank * self.share
        return [self.order[position] for position in range(first, first + self.share)]

    def _row(self, rule: Preprocessing, epoch: int, index: int) -> _Row:
        draw = np.random.default_rng((self.seed, epoch, index))
        while True:
            try:
                pixels = self.cache.read(index)
                break
            except BadImageError as error:
                self.faults.add(error)
                index = int(draw.integers(len(self.part.labels)))
        image = fit_for_training(pixels, rule, self.augmentation, draw)
        movement = draw_movement(self.augmentation, draw) if self.augmentation.moves else None
        colour = draw_colour(self.augmentation, draw) if self.augmentation.recolours else None
        return _Row(image, index, int(self.part.labels[index]), movement, colour)


class EvaluationLoader:
    """Each image once, in order, exactly decoded; the last batch is filled up and masked.

    An image that cannot be read is left out by the mask and counted in `faults`. On several ranks
    each reads every n-th batch, and as many batches as the others: blank ones fill up.
    """

    def __init__(
        self,
        part: Part,
        rule: Preprocessing,
        *,
        batch_size: int,
        faults: Faults,
        threads: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.part = part
        self.rule = rule
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size
        self.faults = faults
        self.threads = threads or available_cores()

    def __len__(self) -> int:
        return -(-len(self.part.labels) // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[Batch]:
        total, size = len(self.part.labels), self.batch_size
        chunks = (
            [(0, index) for index in range(first, min(first + size, total))]
            for first in ((turn * self.world_size + self.rank) * size for turn in range(len(self)))
        )
        for rows in _read_ahead(chunks, self._row, self.threads):
            yield _collate(rows, size, self.rule)

    def _row(self, _: int, index: int) -> _Row:
        try:
            image = fit_for_test(self.part.read(index), self.rule)
        except BadImageError as error:
            self.faults.add(error)
            image = None
        return _Row(image, index, int(self.part.labels[index]))


def available_cores() -> int:
    """Cores that this process may run on, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_channels(part_channels: int, rule: Preprocessing) -> None:
    """Refuse data of another number of channels than the model's."""
    if part_channels != rule.channels:
        raise UserError(
            f"the data has {part_channels} channels and the model takes {rule.channels}: "
            "give data of that kind, or another model"
        )


def check_shares(batch_size: int, world_size: int) -> None:
    """Refuse a batch that ranks cannot share evenly."""
    if batch_size % world_size:
        near = batch_size // world_size * world_size
        raise UserError(
            f"batch_size {batch_size} cannot be shared evenly by {world_size} processes: "
            f"give {f'{near} or ' if near else ''}{near + world_size}"
        )


def _read_ahead(
    chunks: Iterable[list[tuple[int, int]]], read: Callable[[int, int], _Row], threads: int
) -> Iterator[list[_Row]]:
    """Rows of each chunk, in order, with a few chunks under way in threads.

    Threads suffice: decoding and resizing leave Python's lock alone.
    """
    waiting: deque[list[Future[_Row]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="vitreous-read") as pool:
        try:
            for chunk in chunks:
                waiting.append([pool.submit(read, *sample) for sample in chunk])
                if len(waiting) > 3:
                    yield [row.result() for row in waiting.popleft()]
            while waiting:
                yield [row.result() for row in waiting.popleft()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _collate(rows: list[_Row], size: int, rule: Preprocessing) -> Batch:
    blank = torch.zeros(rule.channels, *rule.size, dtype=torch.uint8)
    filler = size - len(rows)
    images = [blank if row.image is None else row.image for row in rows] + [blank] * filler
    return Batch(
        images=torch.stack(images),
        labels=torch.tensor([row.label for row in rows] + [0] * filler),
        index=torch.tensor([row.index for row in rows] + [-1] * filler),
        mask=torch.tensor([row.image is not None for row in rows] + [False] * filler),
        movement=_stack([row.movement for row in rows]),
        colour=_stack([row.colour for row in rows]),
    )


def _stack(arrays: list[np.ndarray | None]) -> Tensor | None:
    present = [array for array in arrays if array is not None]
    complete = present and len(present) == len(arrays)
    return torch.from_numpy(np.stack(present)) if complete else None
