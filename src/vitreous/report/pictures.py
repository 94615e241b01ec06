"""Photographs on a page: mistakes, and where the model looked."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

# Shown at about half this many CSS pixels, so that a dense screen gets all it can show.
_LONGEST_SIDE = 288
# Below this an image is a handful of pixels (digits are 8 x 8): they stay square, not blurred.
_FEW_PIXELS = 64


@dataclass(frozen=True)
class Mistake:
    """An image that was taken for something else.

    Attributes:
        name: Its name in the data set.
        image: Pixels with any number of channels.
        truth: Name of its class.
        predicted: Name of the class it was taken for.
        confidence: Probability that the model gave to that class.
    """

    name: str
    image: UInt8[np.ndarray, "H W C"]
    truth: str
    predicted: str
    confidence: float


@dataclass(frozen=True)
class AttentionView:
    """An image and how much attention each patch of it got.

    Attributes:
        name: Its name in the data set.
        image: Pixels with any number of channels, cropped as the model saw them.
        attention: Weight of each patch of the grid, not negative, on any scale.
        truth: Name of its class.
        predicted: Name of the class that was predicted.
        confidence: Probability that the model gave to that class.
    """

    name: str
    image: UInt8[np.ndarray, "H W C"]
    attention: Float[np.ndarray, "h w"]
    truth: str
    predicted: str
    confidence: float


def attention_overlay(
    image: UInt8[np.ndarray, "H W C"], attention: Float[np.ndarray, "h w"], floor: float = 0.12
) -> UInt8[np.ndarray, "H W C"]:
    """Light an image where the attention is and leave the rest dark.

    The map is divided by its maximum, enlarged to the image with bilinear weights, and multiplied
    with the pixels.

    Args:
        image: Pixels with any number of channels.
        attention: Weight of each patch of the grid, not negative, on any scale.
        floor: Light that is left where there is no attention, so that one still sees what was
            passed over; the paper leaves none.

    Returns:
        The lit image, in the size of the image.

    Raises:
        ValueError: The map is empty, negative or not finite.

    Source:
        Figure 6 of arXiv 2010.11929, as drawn in the visualisation notebook of vit_jax.
    """
    if attention.ndim != 2 or attention.size == 0:
        raise ValueError(f"an attention map is (h, w), not {attention.shape}")
    if not np.isfinite(attention).all() or attention.min() < 0:
        raise ValueError("an attention map holds no negative, infinite or NaN weight")
    peak = float(attention.max()) or 1.0
    light = Image.fromarray((attention / peak).astype(np.float32))
    height, width = image.shape[:2]
    mask = np.asarray(light.resize((width, height), Image.Resampling.BILINEAR))
    return np.rint(image * (floor + (1 - floor) * mask[..., None])).astype(np.uint8)


def enlarge(image: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H2 W2 C"]:
    """Repeat the pixels of a tiny image, so that something can be laid over it smoothly."""
    factor = -(-2 * _FEW_PIXELS // min(image.shape[:2])) if _is_tiny(image) else 1
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def visible(image: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W c"]:
    """What a screen can show of an image: its first three channels as colours, or its first."""
    return image[..., :3] if image.shape[2] >= 3 else image[..., :1]


def reduced(image: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "h w c"]:
    """What a page shows of an image (see `picture`); the same again of what this gives."""
    seen = visible(image)
    shown = Image.fromarray(seen[..., 0] if seen.shape[2] == 1 else seen)
    shown.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(shown).reshape(shown.height, shown.width, -1)


def picture(image: UInt8[np.ndarray, "H W C"], description: str) -> str:
    """Embed pixels in a page.

    Large images are reduced to what the page shows; photographs become JPEG, tiny images and
    narrow ones PNG that the browser enlarges without blurring them.

    Args:
        image: Pixels with any number of channels (see `visible`).
        description: The text for people who hear the page, already escaped.

    Returns:
        An `<img>` element that needs no other file.
    """
    seen = reduced(image)
    shown = Image.fromarray(seen[..., 0] if seen.shape[2] == 1 else seen)
    file = io.BytesIO()
    if _is_tiny(image):
        shown.save(file, "PNG", optimize=True)
        kind, crisp = "png", ' class="crisp"'
    else:
        shown.save(file, "JPEG", quality=85, optimize=True)
        kind, crisp = "jpeg", ""
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<img{crisp} width="{shown.width}" height="{shown.height}" alt="{description}" '
        f'src="data:image/{kind};base64,{data}">'
    )


def _is_tiny(image: UInt8[np.ndarray, "H W C"]) -> bool:
    return max(image.shape[:2]) < _FEW_PIXELS
