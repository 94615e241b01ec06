"""Every bit beside Pillow's own operations, one image at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vitreous.data.operations import RAND, WIDE, Ranges, operations
from vitreous.data.stacked_operations import apply_to_stack

NAMES = tuple(operations(RAND))
# Those of both policies, and some of AugReg's, which go beyond.
STRENGTHS = np.array([*np.arange(-30, 31) / 30, 1.5, -1.5, 2.8, -2.8, 3.0])


def by_pillow(image: np.ndarray, ranges: Ranges, name: str, strength: float) -> np.ndarray:
    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    out = np.asarray(operations(ranges)[name](Image.fromarray(pixels), strength))
    return out[None] if len(image) == 1 else out.transpose(2, 0, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ranges", [RAND, WIDE], ids=["rand", "wide"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (17, 40), (2, 5), (1, 1)])
def test_as_pillow(name: str, ranges: Ranges, channels: int, size: tuple[int, int]) -> None:
    """Noise, one level only, a ramp and few levels, at every strength."""
    draw, shape = np.random.default_rng(0), (channels, *size)
    kinds = [
        draw.integers(256, size=shape),
        np.full(shape, 77),
        np.broadcast_to(np.linspace(0, 255, size[1]), shape),
        draw.integers(90, 110, size=shape),
    ]
    images = np.stack([kinds[i % 4] for i in range(len(STRENGTHS))]).astype(np.uint8)
    changed = images.copy()
    apply_to_stack(changed, ranges, np.full(len(images), NAMES.index(name)), STRENGTHS)
    for image, out, strength in zip(images, changed, STRENGTHS.tolist(), strict=True):
        assert np.array_equal(out, by_pillow(image, ranges, name, strength)), strength


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(0, 13), st.floats(-1, 1)), min_size=1, max_size=6),
    st.sampled_from([1, 3]),
)
def test_each_image_has_its_own(seed: int, calls: list[tuple[int, float]], channels: int) -> None:
    """Any operations at any strengths side by side, in a view that is not contiguous."""
    draw = np.random.default_rng(seed)
    whole = draw.integers(256, size=(len(calls), channels, 9, 12), dtype=np.uint8)
    images, before = whole[..., 1:9, :8], whole.copy()
    apply_to_stack(images, WIDE, *(np.array(column) for column in zip(*calls, strict=True)))
    for row, (kind, strength) in enumerate(calls):
        expected = by_pillow(before[row, :, 1:9, :8], WIDE, NAMES[kind], strength)
        assert np.array_equal(images[row], expected)
    assert np.array_equal(whole[..., 0, :], before[..., 0, :])
    assert np.array_equal(whole[..., 8:], before[..., 8:])
