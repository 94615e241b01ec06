"""Damage of a JPEG file that its decoder works through or passes over.

libjpeg mends what it can and warns; a file that it warned of is damaged. Some changed bytes give
another valid file: each block is coded as a difference from the one before it, so that one wrong
number shifts the colour of all that follows, mostly to colours that no picture has (`is_rotten`).
And a small file can ask for hours of work by many scans over all of a large image (`check_scans`).
"""

import re
from io import BytesIO

import numpy as np
import simplejpeg
from jaxtyping import UInt8
from PIL.JpegImagePlugin import JpegImageFile

from vitreous.data.header import JPEG_MARKER, MAX_SEGMENTS

MAX_SCANS = 100
"""Most scans of a progressive JPEG that is decoded; encoders write 10, exotic ones a few dozen."""

_SCAN = b"\xff\xda"
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_ALONE = (0x01, 0xD8)  # markers without a length

_WARNINGS = ("Corrupt JPEG data", "Premature end of JPEG")
_PADDING = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")

# YCbCr to RGB (JFIF 1.02), applied from the right, and what is added.
_TO_RGB = np.array(
    [[1, 1, 1], [0, -0.344136, 1.772], [1.402, -0.714136, 0]],
    np.float32,
)
_OFFSET = np.array([0, -128, -128], np.float32) @ _TO_RGB
# Levels outside 0..255 that rounding may add to what quantisation does.
_ROUNDING = 4.0
# A picture is rotten where its cells lie outside by this much on average, or this share of them by
# more than `_FAR` levels. Of 3,671 photographs, 4,000 small ones and 600 drawings of hard edges
# saved at all qualities, every cell of every one lay inside.
_MEAN, _SHARE, _FAR = 0.3, 0.01, 8.0
# Share of the cells that are cut off, of a picture that is looked at again: a third of photographs.
_CUT_OFF = 0.03


def check_scans(data: bytes) -> None:
    """Refuse a JPEG of more than `MAX_SCANS` scans with a ValueError, before it is decoded.

    Each scan may touch every block of the image for 70 bytes of the file (libjpeg-turbo's advisory
    LJT-01-004).
    """
    if data.count(_SCAN) <= MAX_SCANS:
        return
    # What follows the image, such as the film of a moving photograph, may hold these bytes too.
    at, scans, segments = 2, 0, 0
    while (found := JPEG_MARKER.search(data, at)) is not None:
        kind, at = found[1][0], found.end()
        if kind == _END_OF_IMAGE:
            return
        segments += 1
        if segments > MAX_SEGMENTS:
            raise ValueError(f"the file has over {MAX_SEGMENTS:,} segments: it is no photograph")
        if kind in _ALONE:
            continue
        at += max(int.from_bytes(data[at : at + 2], "big"), 2)
        scans += kind == _START_OF_SCAN
        if scans > MAX_SCANS:
            raise ValueError(
                f"the file has over {MAX_SCANS} scans, each over the whole image: it was made to "
                "take hours"
            )


def is_damage(warning: str, data: bytes) -> bool:
    """True where the decoder's words speak of damaged coded data.

    Not so of a kind of JPEG that it does not know, nor of bytes that only fill up the file before
    its end, as some cameras write them.
    """
    if not warning.startswith(_WARNINGS):
        return False
    if (found := _PADDING.search(warning)) is None:
        return True
    end = data.rfind(bytes((0xFF, int(found[2], 16))))
    filling = data[max(end - int(found[1]), 0) : end]
    return len(set(filling)) > 1


def is_rotten(data: bytes, pixels: UInt8[np.ndarray, "H W C"]) -> bool:
    """True where a JPEG that decodes without a warning holds colours outside of RGB.

    Encoders make YCbCr from RGB, so that the mean of any area lies in the cube of RGB but for what
    quantisation and rounding add, which its tables bound. The image is read at 1/8, where each
    pixel is the mean of a block, and each four are taken together.

    Args:
        data: The whole file.
        pixels: As it was decoded, in any orientation: where few are cut off at the ends of the
            scale, nothing lies beyond, and the file is not read again.
    """
    if pixels.shape[2] == 3 and not _is_cut_off(pixels):
        return False
    try:
        if simplejpeg.decode_jpeg_header(data)[2] != "YCbCr":
            return False
        image = JpegImageFile(BytesIO(data))
        image.draft("YCbCr", (1, 1))
        tables = image.quantization
        planes = np.asarray(image)
    except Exception:  # the decoder of the whole file judges
        return False
    if planes.ndim != 3 or image.mode != "YCbCr":
        return False
    luma, chroma = tables[min(tables)], tables[max(tables)]
    # Half a step of the mean of a block, in levels: its coefficient is eight times the mean.
    tolerance = (luma[0] + 1.772 * chroma[0]) / 16 + _ROUNDING
    colours = planes.reshape(-1, 3).astype(np.float32) @ _TO_RGB + _OFFSET
    if colours.max() - 255 < tolerance and -colours.min() < tolerance:
        return False
    means = _fours(colours.reshape(planes.shape))
    outside = np.maximum(means.max(-1) - 255, -means.min(-1)) - tolerance
    return bool(np.maximum(outside, 0).mean() > _MEAN or (outside > _FAR).mean() > _SHARE)


def _is_cut_off(pixels: UInt8[np.ndarray, "H W 3"]) -> bool:
    """True where a channel of some cells is 0 or 255 throughout, by two pixels of each.

    Those that are black or white altogether do not count: outside of RGB lie colours.
    """
    one, other = pixels[4::16, 4::16], pixels[11::16, 11::16]
    one = one[: other.shape[0], : other.shape[1]]
    if not one.size:
        return True
    low, high = np.maximum(one, other), np.minimum(one, other)
    dark = (low.min(-1) == 0) & (low.max(-1) > 0)
    bright = (high.max(-1) == 255) & (high.min(-1) < 255)
    return bool((dark | bright).mean() > _CUT_OFF)


def _fours(planes: np.ndarray) -> np.ndarray:
    """Means of each two rows and columns, an odd last one left out."""
    height, width = planes.shape[:2]
    if height > 1:
        planes = (planes[: height - 1 : 2] + planes[1::2]) / 2
    if width > 1:
        planes = (planes[:, : width - 1 : 2] + planes[:, 1::2]) / 2
    return planes
