"""From a part of a data set to batches: ordered by arithmetic, read ahead, exact over ranks."""

from collections.abc import Iterator
from dataclasses import replace

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch
from vitreous.data.cache import CAPACITY, PixelCache
from vitreous.data.faults import Faults
from vitreous.data.order import Order
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.read_ahead import read_ahead
from vitreous.data.reader import DECODE_MARGIN, EvaluationReader, TrainingImages, TrainingReader
from vitreous.data.sample import Part, decodes
from vitreous.data.workers import Workers
from vitreous.errors import UserError


class TrainingLoader:
    """Endless full batches of augmented images; which ones is a function of the step alone.

    The sample at position p of the run is (epoch, index) by `Order`, and what is drawn for it is a
    function of (seed, epoch, index): the whole position is one number, whatever the number of
    readers and of ranks. A rank takes its own stretch of each batch, so that neighbours, which are
    mixed with one another, stay together. An image that cannot be read is replaced by another, the
    same one whenever the run is repeated.

    A part of image files whose pixels fit into `cache_bytes` is decoded once, at the scale that
    keeps 1.5 times the model's side; of a larger one, each crop is decoded by itself at the scale
    that keeps the crop's detail.

    Args:
        part: Images and labels.
        rule: Interpolation, and the largest size that will be asked for.
        augmentation: What is drawn for each sample.
        batch_size: B, over all ranks.
        seed: Of order and augmentation.
        faults: Where unreadable images are counted.
        workers: Who reads ahead.
        rank: Which of the processes that train together this is.
        world_size: How many they are; divides `batch_size`.
        cache_bytes: Most bytes of decoded pixels that are kept.
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
        workers: Workers | None = None,
        rank: int = 0,
        world_size: int = 1,
        cache_bytes: int = CAPACITY,
    ) -> None:
        _check_rank(rank, world_size)
        check_shares(batch_size, world_size)
        if augmentation.policy != "none" and rule.channels not in (1, 3):
            raise UserError(
                f"augmentation.policy {augmentation.policy} is for 1 or 3 channels and the data "
                f"has {rule.channels}: leave it out"
            )
        if augmentation.hue and rule.channels != 3:
            raise UserError(
                f"augmentation.hue is for 3 channels and the data has {rule.channels}: leave it out"
            )
        self.part = part
        self.rule = rule
        self.faults = faults
        self.workers = workers or Workers()
        self._order = Order(len(part.labels), seed)
        self.share = batch_size // world_size
        self._rank, self._world_size, self._batch_size = rank, world_size, batch_size
        cache = PixelCache(part, int(DECODE_MARGIN * max(rule.size)), cache_bytes)
        self._images = TrainingImages(
            part,
            augmentation,
            seed,
            cache if cache_bytes and decodes(part) and cache.holds_all else None,
        )

    def batches(
        self, start: int, stop: int, size: tuple[int, int] | None = None
    ) -> Iterator[Batch]:
        """The batches of steps `start` to `stop`, wherever one begins.

        Args:
            start: First step.
            stop: The step after the last.
            size: (H, W) of the images; the rule's where not given.

        Raises:
            UserError: Too many images cannot be read, or a reader died or hangs.
        """
        rule = self.rule if size is None else replace(self.rule, size=size)
        reader = TrainingReader(
            self._images, self._order, rule, self._batch_size, self._rank, self._world_size
        )
        # Processes share neither arrays nor a cache of this one's. To decode anew pays where a
        # policy's operations hold Python's lock; an array would lie in the memory of each.
        spared = self._images.cache is not None and self._images.augmentation.policy == "none"
        steps = range(start, stop)
        kind = self.workers.chosen(
            images=len(steps) * len(reader),
            decodes=decodes(self.part) and not spared,
            batch_bytes=reader.batch_bytes,
        )
        yield from read_ahead(reader, steps, self.workers, kind, self.faults)


class EvaluationLoader:
    """Each image once, in order, exactly decoded; the last batch is filled up and masked.

    Ranks take turns image by image, and all have the same number of batches. An image that cannot
    be read is left out by the mask and counted in `faults`.

    Args:
        part: Images and labels.
        rule: How an image becomes the model's input.
        batch_size: B of each rank.
        faults: Where unreadable images are counted.
        workers: Who reads ahead.
        rank: Which of the processes that evaluate together this is.
        world_size: How many they are.
    """

    def __init__(
        self,
        part: Part,
        rule: Preprocessing,
        *,
        batch_size: int,
        faults: Faults,
        workers: Workers | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        _check_rank(rank, world_size)
        self.part = part
        self.rule = rule
        self.batch_size = batch_size
        self.faults = faults
        self.workers = workers or Workers()
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        return -(-len(self.part.labels) // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[Batch]:
        reader = EvaluationReader(self.part, self.rule, self.batch_size, self.rank, self.world_size)
        kind = self.workers.chosen(
            images=len(self) * self.batch_size,
            decodes=decodes(self.part),
            batch_bytes=reader.batch_bytes,
        )
        return read_ahead(reader, range(len(self)), self.workers, kind, self.faults)


def check_channels(part_channels: int, rule: Preprocessing) -> None:
    """Refuse data of another number of channels than the model's."""
    if part_channels != rule.channels:
        raise UserError(
            f"the data has {part_channels} channels and the model takes {rule.channels}: "
            "give data of that kind, or another model"
        )


def _check_rank(rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise ValueError(f"rank {rank} is none of {world_size} processes")


def check_shares(batch_size: int, world_size: int) -> None:
    """Refuse a batch that ranks cannot share evenly."""
    if batch_size % world_size:
        near = batch_size // world_size * world_size
        raise UserError(
            f"batch_size {batch_size} cannot be shared evenly by {world_size} processes: "
            f"give {f'{near} or ' if near else ''}{near + world_size}"
        )
