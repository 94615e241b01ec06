"""From samples to the rows of a batch: read, fitted and augmented, a stretch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch
from vitreous.data.cache import PixelCache
from vitreous.data.colour import draw_colour
from vitreous.data.crop import RandomCrop, cut
from vitreous.data.draws import Draws
from vitreous.data.erasing import draw_erasing
from vitreous.data.movement import draw_movement
from vitreous.data.order import Order
from vitreous.data.policy import apply_policy, draw_policy
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import GatherPart, Part, gather, read_crop
from vitreous.data.transform import fit_for_test, keeps, random_window, resize_crop
from vitreous.errors import BadImageError

DECODE_MARGIN = 1.5
"""What is cached, and what is read without a crop, keeps this many times the model's side."""

# Other images that are tried in the place of one that cannot be read.
_TRIES = 64


@dataclass(frozen=True)
class TrainingImages:
    """What is read of a part in training, whatever the size; kept from phase to phase.

    Attributes:
        part: Images and labels.
        augmentation: What is drawn for each sample.
        seed: Of what is drawn.
        cache: Of the whole part's pixels, where they fit into it.
    """

    part: Part
    augmentation: Augmentation
    seed: int
    cache: PixelCache | None

    def read(
        self, index: int, crop: RandomCrop | None, size: tuple[int, int]
    ) -> UInt8[np.ndarray, "H W C"]:
        """The crop's pixels, or the whole image's where nothing is cropped."""
        if self.cache is not None:
            pixels = self.cache.read(index)
            return pixels if crop is None else cut(pixels, crop(*pixels.shape[:2]))
        if crop is None:
            return self.part.read(index, int(DECODE_MARGIN * max(size)))
        return read_crop(self.part, index, crop, size)

    def gather(
        self, indices: Int64[np.ndarray, " b"], rule: Preprocessing
    ) -> UInt8[np.ndarray, "b H W C"] | None:
        """Whole images at once, where they lie in memory as the model takes them."""
        if self.augmentation.crops or self.augmentation.window > 1:
            return None
        return _gather(self.part if self.cache is None else self.cache, indices, rule)


@dataclass(frozen=True)
class TrainingReader:
    """Makes training batches of one size (see `vitreous.data.read_ahead.Reader`).

    Attributes:
        images: Of which part, and how they are augmented.
        order: In which they come.
        rule: Size and interpolation.
        batch_size: Over all ranks.
        rank: Which stretch of each batch is made here.
        world_size: Stretches of a batch.
    """

    images: TrainingImages
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
        return _pixels_bytes(len(self), self.rule)

    def samples(self, step: int) -> Int64[np.ndarray, "B 3"]:
        """Epoch, index and copy of each row."""
        first = step * self.batch_size + self.rank * len(self)
        places, copies = np.divmod(
            np.arange(first, first + len(self)), self.images.augmentation.repeats
        )
        return np.stack([*self.order[places], copies], axis=1)

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

    def fill(
        self, batch: Batch, first: int, samples: Int64[np.ndarray, "b 3"]
    ) -> list[BadImageError]:
        """Read and augment a stretch of rows; another image comes in the place of an unreadable."""
        augmentation = self.images.augmentation
        rows = slice(first, first + len(samples))
        draws = Draws(self.images.seed, *samples.T)
        mirrored = draws.random(1)[:, 0] < augmentation.flip
        if batch.movement is not None:
            batch.movement.numpy()[rows] = draw_movement(augmentation, draws)
        if batch.colour is not None:
            batch.colour.numpy()[rows] = draw_colour(augmentation, draws)
        if batch.erased is not None:
            batch.erased.numpy()[rows] = draw_erasing(augmentation, self.rule.size, draws)
        policy = draw_policy(augmentation, draws)
        images = batch.images.numpy()[rows]
        indices, found, errors = self._fetch(images, samples, draws)
        images[mirrored] = images[mirrored, ..., ::-1]
        apply_policy(images, augmentation.policy, policy)
        _name(batch, rows, indices, found, self.images.part)
        return errors

    def _fetch(
        self,
        images: UInt8[np.ndarray, "b C H2 W2"],
        samples: Int64[np.ndarray, "b 3"],
        draws: Draws,
    ) -> tuple[Int64[np.ndarray, " b"], Bool[np.ndarray, " b"], list[BadImageError]]:
        """Pixels at their size; which images they are, where there are any, and what was not."""
        augmentation, indices = self.images.augmentation, samples[:, 1].copy()
        found, errors = np.ones(len(samples), bool), list[BadImageError]()
        if (whole := self.images.gather(indices, self.rule)) is not None:
            images[:] = whole.transpose(0, 3, 1, 2)
            return indices, found, errors
        places = draws.random(2).tolist()
        crops = RandomCrop.drawn(augmentation, draws) if augmentation.crops else None
        for row, sample in enumerate(samples.tolist()):
            crop = None if crops is None else crops[row]
            pixels, indices[row] = self._read(sample, crop, errors)
            if pixels is None:
                found[row] = False
            else:
                images[row] = self._fit(pixels, places[row]).numpy()
        return indices, found, errors

    def _read(
        self, sample: Sequence[int], crop: RandomCrop | None, errors: list[BadImageError]
    ) -> tuple[UInt8[np.ndarray, "H W C"] | None, int]:
        """One image, or another in its place, and which it is; what cannot be read is told."""
        index = sample[1]
        others: np.random.Generator | None = None
        for _ in range(_TRIES):
            try:
                return self.images.read(index, crop, self.rule.size), index
            except BadImageError as error:
                errors.append(error)
                others = others or np.random.default_rng((self.images.seed, *sample))
                index = int(others.integers(len(self.images.part.labels)))
        return None, index

    def _fit(
        self, pixels: UInt8[np.ndarray, "H W C"], place: Sequence[float]
    ) -> UInt8[Tensor, "C H2 W2"]:
        augmentation = self.images.augmentation
        if augmentation.crops:
            return resize_crop(pixels, self.rule.size, self.rule.interpolation)
        if augmentation.window > 1:
            return random_window(pixels, self.rule, augmentation.window, place)
        return fit_for_test(pixels, self.rule)


@dataclass(frozen=True)
class EvaluationReader:
    """Makes evaluation batches (see `vitreous.data.read_ahead.Reader`).

    Attributes:
        part: Images and labels.
        rule: How an image becomes the model's input.
        batch_size: Of each rank.
        rank: Which images are read here: every `world_size`-th.
        world_size: Processes that evaluate together.
    """

    part: Part
    rule: Preprocessing
    batch_size: int
    rank: int
    world_size: int

    @property
    def batch_bytes(self) -> int:
        """Of the pixels of one batch."""
        return _pixels_bytes(self.batch_size, self.rule)

    def samples(self, step: int) -> Int64[np.ndarray, " B"]:
        """Positions in the part; fewer than rows in the last batch."""
        first = step * self.batch_size * self.world_size
        stop = min(first + self.batch_size * self.world_size, len(self.part.labels))
        return np.arange(first + self.rank, stop, self.world_size)

    def blank(self, *, shared: bool = False, pinned: bool = False) -> Batch:
        """A batch to be filled."""
        return _blank(self.part, self.rule, self.batch_size, shared=shared, pinned=pinned)

    def fill(
        self, batch: Batch, first: int, samples: Int64[np.ndarray, " b"]
    ) -> list[BadImageError]:
        """Read a stretch of images; rows of those that cannot be read stay masked."""
        rows = slice(first, first + len(samples))
        images, found = batch.images.numpy()[rows], np.ones(len(samples), bool)
        errors = list[BadImageError]()
        if (whole := _gather(self.part, samples, self.rule)) is not None:
            images[:] = whole.transpose(0, 3, 1, 2)
        else:
            for row, index in enumerate(samples.tolist()):
                try:
                    images[row] = fit_for_test(self.part.read(index), self.rule).numpy()
                except BadImageError as error:
                    errors.append(error)
                    found[row] = False
        _name(batch, rows, samples, found, self.part)
        return errors


def _gather(
    part: Part | GatherPart, indices: Int64[np.ndarray, " b"], rule: Preprocessing
) -> UInt8[np.ndarray, "b H W C"] | None:
    """Whole images at once, where the test rule would leave them as they are."""
    return gather(part, indices, rule.size) if keeps(rule.size, rule) else None


def _name(
    batch: Batch,
    rows: slice,
    indices: Int64[np.ndarray, " b"],
    found: Bool[np.ndarray, " b"],
    part: Part,
) -> None:
    """Write down which images lie in some rows."""
    batch.labels.numpy()[rows] = part.labels[indices]
    batch.index.numpy()[rows] = indices
    batch.mask.numpy()[rows] = found


def _pixels_bytes(count: int, rule: Preprocessing) -> int:
    return count * rule.channels * rule.size[0] * rule.size[1]


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
