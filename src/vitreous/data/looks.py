"""What an image looks like, in a few numbers that survive resizing, recompression and small crops.

Of each image: a grey thumbnail of 64 x 64 pixels, whatever its shape; a digest of its pixels; and
six descriptors, of the whole and of five windows of 95 % of each side (the corners and the centre).
A descriptor is the thumbnail's lowest 8 x 8 DCT coefficients without the mean, each multiplied with
its radial frequency (which evens out the spectrum of photographs), scaled to length 1.

A mirror image changes the sign of the coefficients of odd horizontal frequency and nothing else:
with e and o the products of the even and the odd ones, e + o compares two images, and e - o one
with the other's mirror image.
"""

import errno
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import IO

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image

from vitreous.data.sample import Part
from vitreous.data.workers import available_cores
from vitreous.errors import BadImageError, UserError

SIDE = 64
"""Of a thumbnail, pixels."""

WINDOWS: tuple[tuple[float, float, float, float], ...] = (
    (0, 0, 1, 1),
    (0, 0, 0.95, 0.95),
    (0, 0.05, 0.95, 1),
    (0.05, 0, 1, 0.95),
    (0.05, 0.05, 1, 1),
    (0.025, 0.025, 0.975, 0.975),
)
"""What the descriptors see: (top, left, bottom, right), as shares of the sides; the whole first."""

_FREQUENCIES = 8
# Shorter side of an image, pixels, under which different images look alike: only equality counts.
_FEW_PIXELS = 32
# Standard deviation of a thumbnail, grey levels, under which there is nothing to compare.
_FLAT = 1.0
_CHUNK = 256

# Places in the square of coefficients, of even horizontal frequency and then of odd.
_PLACES = np.array(sorted(range(1, _FREQUENCIES**2), key=lambda place: place % 2))
_WEIGHT = np.hypot(*np.divmod(_PLACES, _FREQUENCIES)).astype(np.float32)

NUM_COEFFICIENTS = len(_PLACES)
"""Of a descriptor."""

NUM_EVEN = int((_PLACES % 2 == 0).sum())
"""How many come first that stay as they are in a mirror image; the others change their sign."""


@dataclass(frozen=True, eq=False)
class Looks:
    """Of n images, in the order of their part: 5.7 KB each, 4 of which lie in a temporary file.

    Attributes:
        thumbnails: Grey levels; zeros where an image cannot be read, or is under 32 pixels.
        digests: Of the pixels and their shape, 16 bytes; empty for an image that cannot be read.
        descriptors: One a window of `WINDOWS`; zeros where a thumbnail is flat.
        unreadable: Position -> why.
    """

    thumbnails: UInt8[np.ndarray, "n side side"]
    digests: Shaped[np.ndarray, " n"]
    descriptors: Float32[np.ndarray, "n windows f"]
    unreadable: dict[int, str]

    def __len__(self) -> int:
        return len(self.digests)


def look(
    part: Part,
    *,
    exact: bool = False,
    threads: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Looks:
    """Read a part once, and keep what it looks like.

    Args:
        part: Its images are decoded by threads.
        exact: Decode whole images; by default JPEGs at the smallest scale that suffices.
        threads: Readers; one per core where not given.
        on_progress: Told the share of the work that is done.

    Raises:
        UserError: The folder for temporary files has no room.
    """
    total = len(part.labels)
    # Unlinked at once: it goes with the last array that is mapped to it.
    with tempfile.TemporaryFile(prefix="vitreous-") as file:
        _reserve(file, max(total, 1) * SIDE * SIDE)
        thumbnails = np.memmap(file, np.uint8, "r+", shape=(max(total, 1), SIDE, SIDE))[:total]
    digests = np.zeros(total, "S32")
    descriptors = np.zeros((total, len(WINDOWS), NUM_COEFFICIENTS), np.float32)
    unreadable: dict[int, str] = {}

    def read(index: int) -> None:
        try:
            pixels = part.read(index) if exact else part.read(index, SIDE)
        except BadImageError as error:
            unreadable[index] = error.reason
            return
        digests[index] = _digest(pixels)
        if min(pixels.shape[:2]) >= _FEW_PIXELS:
            thumbnails[index] = thumbnail(pixels)

    with ThreadPoolExecutor(threads or available_cores(), thread_name_prefix="vitreous") as pool:
        for first in range(0, total, _CHUNK):
            chunk = range(first, min(first + _CHUNK, total))
            for done in [pool.submit(read, index) for index in chunk]:
                done.result()
            rows = slice(chunk.start, chunk.stop)
            descriptors[rows] = describe(thumbnails[rows])
            if on_progress is not None:
                on_progress(chunk.stop / total)
    return Looks(thumbnails, digests, descriptors, unreadable)


def _reserve(file: IO[bytes], size: int) -> None:
    """Give a file its bytes now: where a disk fills up under a mapped hole, the process dies."""
    try:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):  # a disk that cannot; it may have room
            return
        raise UserError(
            f"{tempfile.gettempdir()}: no room for {size / 1e6:,.0f} MB of thumbnails "
            f"({error.strerror}): free some, or set TMPDIR to a folder with more"
        ) from error


def thumbnail(pixels: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "side side"]:
    """An image as a grey square, each pixel the mean of what it covers."""
    channels = pixels.shape[2]
    if channels in (1, 3):
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels).convert("L")
    else:
        image = Image.fromarray(pixels.mean(2).astype(np.uint8))
    large = min(image.size) >= SIDE
    rule = Image.Resampling.BOX if large else Image.Resampling.BILINEAR
    return np.asarray(image.resize((SIDE, SIDE), rule))


def describe(thumbnails: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n windows f"]:
    """The descriptors of thumbnails (see this file's first lines)."""
    images = thumbnails.astype(np.float32)
    found = np.empty((len(images), len(WINDOWS), NUM_COEFFICIENTS), np.float32)
    for number, (top, left, bottom, right) in enumerate(WINDOWS):
        coefficients = _cosines(top, bottom) @ images @ _cosines(left, right).T  # (n, 8, 8)
        found[:, number] = coefficients.reshape(len(images), -1)[:, _PLACES] * _WEIGHT
    found /= np.maximum(np.linalg.norm(found, axis=2, keepdims=True), 1e-6)
    found[images.std((1, 2)) < _FLAT] = 0
    return found


def _cosines(low: float, high: float) -> Float32[np.ndarray, "frequencies side"]:
    """Each pixel's share in the cosines over the stretch from `low` to `high` of a side."""
    frequency = np.arange(_FREQUENCIES)[:, None]
    edges = np.clip(np.linspace(0, 1, SIDE + 1), low, high)
    angle = np.pi * (edges - low) / (high - low)
    integral = np.where(frequency == 0, angle, np.sin(frequency * angle) / np.maximum(frequency, 1))
    return np.diff(integral, axis=1).astype(np.float32)


def _digest(pixels: UInt8[np.ndarray, "H W C"]) -> bytes:
    state = sha256(repr(pixels.shape).encode())  # processors have instructions for this one
    state.update(np.ascontiguousarray(pixels).data)
    # As hexadecimal digits: NumPy's byte strings lose zeros at their end.
    return state.hexdigest()[:32].encode()
