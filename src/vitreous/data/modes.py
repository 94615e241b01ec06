"""Pixels of every mode a file may be stored in, as 8-bit grey or RGB: one rule a kind.

| stored as | becomes |
|---|---|
| 1 bit | 0 and 255 |
| palette | its colours |
| alpha (LA, RGBA, a transparent palette entry or colour) | composed over white |
| CMYK, YCbCr, Lab | RGB, as Pillow converts them |
| 16-bit grey, and integers of 32 bits | 0..65535 scaled by 1/257; outside that range: refused |
| 16-bit RGB | the upper 8 bits, as Pillow reads them |
| 32-bit float | 0..1 scaled by 255, or else 0..255 as it stands; outside that range: refused |
| grey, where 3 channels are wanted | the same level three times |
| colour, where 1 channel is wanted | ITU-R 601 luma, (299 R + 587 G + 114 B) / 1000 |
"""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
"""Pillow's modes without colour."""


def to_uint8(image: Image.Image, channels: int) -> UInt8[np.ndarray, "H W C"]:
    """Decode a Pillow image of any mode to 8 bits by the rules of this file.

    Args:
        image: The image; its orientation is left as it is.
        channels: C, 1 (grey) or 3 (RGB).

    Raises:
        ValueError: Integer or float levels have no agreed meaning in 8 bits.
        Exception: Whatever Pillow raises on damaged data.
    """
    if image.mode == "F":
        image = _from_float(image)
    elif image.mode == "I" or image.mode.startswith("I;16"):
        image = _from_16_bit(image)
    elif image.has_transparency_data:
        image = _over_white(image)
    pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


def fit_channels(
    pixels: UInt8[np.ndarray, "H W stored"], channels: int
) -> UInt8[np.ndarray, "H W C"]:
    """Turn grey into RGB or RGB into grey where the count of channels asks for it."""
    stored = pixels.shape[2]
    if stored == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    return np.array(Image.fromarray(pixels).convert("L"))[..., None]


def _from_16_bit(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips at 255 instead of scaling.
    levels = np.asarray(image).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError("integer levels outside 0..65535")
    grey = ((levels + 128) // 257).astype(np.uint8)  # 257 = 65535 / 255
    if "transparency" in image.info:
        grey[levels == image.info["transparency"]] = 255
    return Image.fromarray(grey)


def _from_float(image: Image.Image) -> Image.Image:
    levels = np.asarray(image)
    if not (levels.min() >= 0 and levels.max() <= 255):  # also true of NaN
        raise ValueError("float levels outside 0..1 and 0..255")
    scale = 255 if levels.max() <= 1 else 1
    return Image.fromarray(np.rint(levels * scale).astype(np.uint8))


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")  # the only way out of this mode that Pillow has
    canvas = Image.new("RGBA", image.size, "white")
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")
