"""One image of any part as the bytes of an image file, at the size that training needs."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vitreous.data.decode import decode, image_size, is_grey
from vitreous.data.header import FORMATS
from vitreous.data.restarts import restart_interval
from vitreous.data.sample import Part
from vitreous.data.sources.encoded import EncodedPart
from vitreous.errors import BadImageError, UserError

# A JPEG has no longer side, pixels.
_LONGEST_JPEG = 65_500

_SUFFIXES = {"JPEG": "jpg", "TIFF": "tif", "PNM": "ppm"}


@dataclass(frozen=True)
class Packing:
    """What happens to images on their way.

    Attributes:
        max_side: Images whose shorter side is longer, in pixels, are resized to it (bicubic,
            antialiased, aspect kept) and written as JPEG, with restart markers by which a crop is
            read alone (`vitreous.data.restarts`); None leaves all as they are. The shorter
            side is what a crop of a given size needs.
        quality: Of JPEG files that are written, 1 to 100; colour is stored at half resolution.
    """

    max_side: int | None = None
    quality: int = 92

    def __post_init__(self) -> None:
        if self.max_side is not None and self.max_side < 1:
            raise UserError(f"max_side is {self.max_side}: give at least 1 pixel")
        if not 1 <= self.quality <= 100:
            raise UserError(f"quality is {self.quality}: give 1 to 100")


AS_IT_IS = Packing()
"""Nothing is resized."""


def pack_image(part: Part, index: int, packing: Packing) -> tuple[bytes, str]:
    """An image file and the ending of its name, without a dot.

    Files that are not resized are copied byte for byte, once they have proven to decode. Pixels
    that never were a file become PNG.

    Raises:
        BadImageError: The image cannot be decoded.
    """
    name, limit = part.names[index], packing.max_side
    if not isinstance(part, EncodedPart):
        pixels = part.read(index)
        if limit is not None and min(pixels.shape[:2]) > limit:
            return _shrunk(pixels, limit, packing.quality), "jpg"
        return _png(pixels), "png"
    data = part.file(index)
    height, width = image_size(data, name)
    if limit is not None and min(height, width) > limit:
        longer = limit * max(height, width) / min(height, width)
        if longer < _LONGEST_JPEG:
            # Twice the size before the last step: decoding in part costs no sharpness then.
            pixels = decode(data, name, 1 if is_grey(data, name) else 3, 2 * limit)
            return _shrunk(pixels, limit, packing.quality), "jpg"
    decode(data, name, part.channels, 1)
    return data, _suffix(data, name)


def _shrunk(pixels: UInt8[np.ndarray, "H W C"], limit: int, quality: int) -> bytes:
    height, width, channels = pixels.shape
    scale = limit / min(height, width)
    size = (max(limit, round(width * scale)), max(limit, round(height * scale)))
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    file = BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(
        file,
        "JPEG",
        quality=quality,
        subsampling="4:2:0",
        restart_marker_blocks=restart_interval(size[0], 8 if channels == 1 else 16),
    )
    return file.getvalue()


def _png(pixels: UInt8[np.ndarray, "H W C"]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _suffix(data: bytes, name: str) -> str:
    for form, matches, _ in FORMATS:
        if matches(data[:16]):
            return _SUFFIXES.get(form, form.lower())
    raise BadImageError(name, "not an image of a known format")
