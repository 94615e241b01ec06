"""TIFF files of more bands than a picture has, as satellites and microscopes write them."""

from io import BytesIO

import numpy as np
from jaxtyping import Shaped
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from vitreous.data.header import MAX_PIXELS, check_size
from vitreous.errors import UserError

TIFF_SUFFIXES = (".tif", ".tiff")

# Tags of the first page (TIFF 6.0).
_WIDTH, _HEIGHT, _SAMPLES, _EXTRA_SAMPLES = 256, 257, 277, 338
# Extra samples of no said meaning: not alpha, which is composed away as in any image.
_UNSPECIFIED = 0

MAX_VALUES = 4 * MAX_PIXELS
"""Most numbers that are decoded of one file: as many as of the largest picture."""


def count_bands(data: bytes) -> int | None:
    """Bands of a TIFF's first page, from its tags; None for an ordinary picture or another file."""
    try:
        tags = _tags(data)
    except Exception:  # no TIFF, or a damaged one: whoever decodes it says so
        return None
    return int(tags[_SAMPLES]) if _UNSPECIFIED in tags.get(_EXTRA_SAMPLES, ()) else None


def read_bands(data: bytes) -> Shaped[np.ndarray, "H W C"]:
    """All bands of a TIFF's first page, of whatever numbers it holds.

    Raises:
        ValueError: It is larger than `header.MAX_PIXELS` or `MAX_VALUES`, or of a compression that
            is not read.
        Exception: Whatever tifffile meets in a damaged file.
    """
    tags = _tags(data)
    height, width, bands = (int(tags[tag]) for tag in (_HEIGHT, _WIDTH, _SAMPLES))
    check_size(height, width)
    if height * width * bands > MAX_VALUES:
        raise ValueError(
            f"{width} x {height} pixels of {bands} bands are over the limit of "
            f"{MAX_VALUES // 1_000_000} million values"
        )
    import tifffile

    with tifffile.TiffFile(BytesIO(data)) as file:
        page = file.pages.first
        pixels = np.asarray(page.asarray(maxworkers=1))
        return np.moveaxis(pixels, 0, -1) if page.axes == "SYX" else pixels


def require_tifffile(address: str) -> None:
    """Refuse where tifffile is not installed, with the line that installs it."""
    try:
        import tifffile  # noqa: F401
    except ImportError as fault:
        raise UserError(
            f"{address}: reading its bands needs tifffile: pip install 'vitreous[tiff]'"
        ) from fault


def _tags(data: bytes) -> ImageFileDirectory_v2:
    file = BytesIO(data)
    tags = ImageFileDirectory_v2(file.read(16 if data[2:3] in b"+" else 8))
    file.seek(tags.next)
    tags.load(file)
    return tags
