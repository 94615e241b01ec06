"""One image file as a person would describe it: its format, what is odd, what is broken."""

from dataclasses import dataclass
from posixpath import splitext

from PIL.ImageFile import ImageFile

from vitreous.data.header import FORMATS, MAX_PIXELS, open_header, orientation
from vitreous.errors import BadImageError

ODD = {
    "renamed": "named as another format than they hold; read by what they hold",
    "rotated": "turned upright by their EXIF orientation",
    "CMYK": "converted to RGB",
    "16-bit": "scaled to 8 bits",
    "animated": "of several frames or pages, the first is taken",
    "transparent": "composed over white",
}
"""What is odd about a file that can be read -> what is made of it."""

UNREADABLE = {
    "empty": "of zero bytes",
    "missing": "cannot be opened: gone, a broken link, or no permission",
    "unknown": "not an image of a known format, whatever the name says",
    "too large": f"refused from the header: over {MAX_PIXELS // 1_000_000} million pixels",
    "damaged": "cut short, or with bytes that were changed",
    "rotten": "decode to colours that no picture has: bytes were changed after they were written",
}
"""Why a file cannot be read -> in words."""

ROTTEN = "colours outside of RGB, as changed bytes make them"
"""The reason of a file that decodes without a complaint, to what nobody can have written."""

_ENDINGS = {
    "JPEG": "jpg jpeg jpe jfif",
    "PNG": "png",
    "WebP": "webp",
    "GIF": "gif",
    "BMP": "bmp dib",
    "TIFF": "tif tiff",
    "AVIF": "avif",
    "PNM": "ppm pgm pbm pnm",
}
_FORMAT_OF = {f".{end}": name for name, ends in _ENDINGS.items() for end in ends.split()}


@dataclass(frozen=True)
class FileFacts:
    """What a file's header says.

    Attributes:
        format: One of `header.FORMATS`; empty where it is none.
        odd: Any of `ODD`.
    """

    format: str
    odd: tuple[str, ...] = ()


def examine(data: bytes, name: str) -> FileFacts:
    """Read a header; what cannot be read there is left to the decoder to complain of."""
    kind = _format(data)
    named = _FORMAT_OF.get(splitext(name)[1].lower(), kind)
    odd = ["renamed"] if kind and named != kind else []
    try:
        image = open_header(data)
        odd += _oddities(image)
    except Exception:  # a damaged header: decoders meet it with whatever exception is nearest
        pass
    return FileFacts(kind, tuple(odd))


def fault_kind(error: BadImageError, data: bytes | None) -> str:
    """Sort the fault of a file into the kinds of `UNREADABLE`.

    Args:
        error: What the decoder said.
        data: The file, or None where it could not be had.
    """
    if data is None:
        return "missing"
    if not data:
        return "empty"
    if not _format(data):
        return "unknown"
    if error.reason == ROTTEN:
        return "rotten"
    return "too large" if "over the limit" in error.reason else "damaged"


def _format(data: bytes) -> str:
    return next((name for name, matches, _ in FORMATS if matches(data[:16])), "")


def _oddities(image: ImageFile) -> list[str]:
    found = []
    # Of a PNG whose header has none, Pillow would decode the whole file to look behind it.
    if (image.format != "PNG" or "exif" in image.info) and orientation(image) != 1:
        found.append("rotated")
    if image.mode == "CMYK":
        found.append("CMYK")
    if image.mode in ("I", "F") or image.mode.startswith("I;16") or _stored_in_16_bits(image):
        found.append("16-bit")
    if getattr(image, "is_animated", False):
        found.append("animated")
    if image.has_transparency_data:
        found.append("transparent")
    return found


def _stored_in_16_bits(image: ImageFile) -> bool:
    """Colour of 16 bits, which Pillow opens as 8: what it will unpack says so."""
    return any(";16" in str(tile[3]) for tile in image.tile)
