"""From a part of a data set to batches: ordered by arithmetic, read ahead, exact over ranks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch
from vitreous.data.cache import CAPACITY, PixelCache
from vitreous.data.colour import draw_colour
from vitreous.data.crop import RandomCrop, cut
from vitreous.data.erasing import draw_erasing
from vitreous.data.faults import Faults
from vitreous.data.movement import draw_movement
from vitreous.data.order import Order
from vitreous.data.policy import apply_policy
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.read_ahead import read_ahead
from vitreous.data.sample import Part, decodes, read_crop
from vitreous.data.transform import fit_for_test, random_window, resize_crop
from vitreous.data.workers import Workers
from vitreous.errors import BadImageError, UserError

# What is cached, and what is read without a crop, keeps this many times the model's side.
_DECODE_MARGIN = 1.5
# Other images that are tried in the place of one that cannot be read.
_TRIES = 64


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
        cache = PixelCache(part, int(_DECODE_MARGIN * max(rule.size)), cache_bytes)
        self._images = _TrainingImages(
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
        reader = _TrainingReader(
            self._images, self._order, rule, self._batch_size, self._rank, self._world_size
        )
        # Processes cannot share a cache of this one's.
        decoding = decodes(self.part) and self._images.cache is None
        steps = range(start, stop)
        kind = self.workers.chosen(
            images=len(steps) * len(reader), decodes=decoding, batch_bytes=reader.batch_bytes
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
        reader = _EvaluationReader(
            self.part, self.rule, self.batch_size, self.rank, self.world_size
        )
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


@dataclass(frozen=True)
class _TrainingImages:
    """What is read of a part in training, whatever the size; kept from phase to phase."""

    part: Part
    augmentation: Augmentation
    seed: int
    cache: PixelCache | None

    def draw(self, epoch: int, index: int, copy: int) -> np.random.Generator:
        """A sample's own source of randomness."""
        return np.random.default_rng((self.seed, epoch, index, copy)[: 4 if copy else 3])

    def read(self, index: int, crop: RandomCrop, rule: Preprocessing) -> UInt8[np.ndarray, "H W C"]:
        """The crop's pixels, or the whole image's where nothing is cropped."""
        if self.cache is not None:
            pixels = self.cache.read(index)
            return cut(pixels, crop(*pixels.shape[:2])) if self.augmentation.crops else pixels
        if self.augmentation.crops:
            return read_crop(self.part, index, crop, rule.size)
        return self.part.read(index, int(_DECODE_MARGIN * max(rule.size)))


@dataclass(frozen=True)
class _TrainingReader:
    """Makes training batches of one size (see `vitreous.data.read_ahead.Reader`)."""

    images: _TrainingImages
    order: Order
    rule: Preprocessing
    batch_size: int
    rank: int
    world_size: int

    def __len__(self) -> int:
        return self.batch_size // self.world_size

    @property
    def batch_bytes(self) -> int:
        """Of the pixels of one batch."""
        return len(self) * self.rule.channels * self.rule.size[0] * self.rule.size[1]

    def samples(self, step: int) -> list[tuple[int, int, int]]:
        """(epoch, index, copy) of each row."""
        first = step * self.batch_size + self.rank * len(self)
        repeats = self.images.augmentation.repeats
        return [
            (*self.order[at // repeats], at % repeats) for at in range(first, first + len(self))
        ]

    def blank(self, *, shared: bool = False, pinned: bool = False) -> Batch:
        """A batch to be filled."""
        augmentation, size = self.images.augmentation, len(self)
        batch = _blank(self.images.part, self.rule, size, shared=shared, pinned=pinned)
        return replace(
            batch,
            movement=torch.zeros(size, 2, 3) if augmentation.moves else None,
            colour=torch.zeros(size, 4 if augmentation.hue else 3)
            if augmentation.recolours
            else None,
            erased=torch.zeros(size, 4, dtype=torch.int64) if augmentation.erase else None,
        )

    def fill(self, batch: Batch, row: int, sample: tuple[int, int, int]) -> list[BadImageError]:
        """Read and augment one image, or another in its place."""
        epoch, index, copy = sample
        augmentation = self.images.augmentation
        draw = self.images.draw(epoch, index, copy)
        crop = RandomCrop.drawn(augmentation, draw)
        mirrored = bool(draw.random() < augmentation.flip)
        errors = list[BadImageError]()
        for _ in range(_TRIES):
            try:
                pixels = self.images.read(index, crop, self.rule)
                break
            except BadImageError as error:
                errors.append(error)
                index = int(draw.integers(len(self.images.part.labels)))
        else:
            return errors
        if batch.movement is not None:
            batch.movement[row] = torch.from_numpy(draw_movement(augmentation, draw))
        if batch.colour is not None:
            batch.colour[row] = torch.from_numpy(draw_colour(augmentation, draw))
        if batch.erased is not None:
            batch.erased[row] = torch.tensor(draw_erasing(augmentation, self.rule.size, draw))
        image = self._fit(pixels, mirrored, draw)
        _put(batch, row, apply_policy(image, augmentation, draw), index, self.images.part)
        return errors

    def _fit(
        self, pixels: UInt8[np.ndarray, "H W C"], mirrored: bool, draw: np.random.Generator
    ) -> UInt8[Tensor, "C H2 W2"]:
        augmentation = self.images.augmentation
        if augmentation.crops:
            return resize_crop(pixels, self.rule, mirrored=mirrored)
        if augmentation.window > 1:
            image = random_window(pixels, self.rule, augmentation.window, draw)
        else:
            image = fit_for_test(pixels, self.rule)
        return image.flip(2) if mirrored else image


@dataclass(frozen=True)
class _EvaluationReader:
    """Makes evaluation batches (see `vitreous.data.read_ahead.Reader`)."""

    part: Part
    rule: Preprocessing
    batch_size: int
    rank: int
    world_size: int

    @property
    def batch_bytes(self) -> int:
        """Of the pixels of one batch."""
        return self.batch_size * self.rule.channels * self.rule.size[0] * self.rule.size[1]

    def samples(self, step: int) -> Sequence[int]:
        """Positions in the part; fewer than rows in the last batch."""
        first = step * self.batch_size * self.world_size
        stop = min(first + self.batch_size * self.world_size, len(self.part.labels))
        return range(first + self.rank, stop, self.world_size)

    def blank(self, *, shared: bool = False, pinned: bool = False) -> Batch:
        """A batch to be filled."""
        return _blank(self.part, self.rule, self.batch_size, shared=shared, pinned=pinned)

    def fill(self, batch: Batch, row: int, sample: int) -> list[BadImageError]:
        """Read one image; its row stays masked where it cannot be read."""
        try:
            image = fit_for_test(self.part.read(sample), self.rule)
        except BadImageError as error:
            batch.index[row] = sample
            batch.labels.numpy()[row] = self.part.labels[sample]
            return [error]
        _put(batch, row, image, sample, self.part)
        return []


def _blank(part: Part, rule: Preprocessing, size: int, *, shared: bool, pinned: bool) -> Batch:
    """A batch of which every row only fills it up.

    An ordinary one also where the consumer has asked for inference mode: others must write to it.
    """
    with torch.inference_mode(False):
        return _allocate(part, rule, size, shared=shared, pinned=pinned)


def _allocate(part: Part, rule: Preprocessing, size: int, *, shared: bool, pinned: bool) -> Batch:
    shape = (size, rule.channels, *rule.size)
    if shared:
        # What PyTorch's own collation does in a worker: else the batch is copied once more.
        storage = torch.UntypedStorage._new_shared(int(np.prod(shape)))
        images = torch.empty(0, dtype=torch.uint8).set_(storage).view(shape)
    else:
        images = torch.zeros(shape, dtype=torch.uint8, pin_memory=pinned)
    kind = torch.uint8 if part.labels.ndim == 2 else torch.int64  # multi-hot rows, or indices
    return Batch(
        images=images,
        labels=torch.zeros(size, *part.labels.shape[1:], dtype=kind),
        index=torch.full((size,), -1),
        mask=torch.zeros(size, dtype=torch.bool),
    )


def _put(batch: Batch, row: int, image: UInt8[Tensor, "C H W"], index: int, part: Part) -> None:
    batch.images[row] = image
    # NumPy's views are written to in a tenth of the time.
    batch.labels.numpy()[row] = part.labels[index]
    batch.index.numpy()[row] = index
    batch.mask.numpy()[row] = True
