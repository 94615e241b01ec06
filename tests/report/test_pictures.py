"""Pictures on a page."""

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vitreous.report.pictures import attention_overlay, enlarge, picture, reduced


def decode(element: str) -> Image.Image:
    found = re.search(r'src="data:image/(?:png|jpeg);base64,([^"]+)"', element)
    assert found
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def test_overlay_lights_what_is_attended() -> None:
    image = np.full((40, 60, 3), 200, dtype=np.uint8)
    attention = np.array([[0.0, 0.0], [0.0, 0.3]])
    lit = attention_overlay(image, attention, floor=0.0)
    assert lit.shape == image.shape
    assert lit.dtype == np.uint8
    assert (lit[-1, -1] == 200).all()
    assert (lit[0, 0] == 0).all()
    assert (np.diff(lit[-1, :, 0].astype(int)) >= 0).all()
    assert (attention_overlay(image, attention, floor=0.25)[0, 0] == 50).all()


def test_even_attention_leaves_the_image_alone() -> None:
    image = np.arange(5 * 7 * 1, dtype=np.uint8).reshape(5, 7, 1)
    assert (attention_overlay(image, np.full((3, 2), 0.01)) == image).all()


def test_no_attention_at_all_is_dark() -> None:
    image = np.full((4, 4, 3), 100, dtype=np.uint8)
    assert (attention_overlay(image, np.zeros((2, 2))) == 12).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(1, 6),
    st.integers(1, 6),
    st.floats(0.01, 1e6),
)
def test_scale_does_not_matter(height: int, width: int, h: int, w: int, scale: float) -> None:
    random = np.random.default_rng(0)
    image = random.integers(256, size=(height, width, 3), dtype=np.uint8)
    attention = random.random((h, w))
    plain = attention_overlay(image, attention).astype(int)
    scaled = attention_overlay(image, scale * attention).astype(int)
    assert abs(plain - scaled).max() <= 1
    assert (plain <= image).all()


@pytest.mark.parametrize(
    "attention",
    [np.zeros((0, 2)), np.array([[-1.0]]), np.array([[np.nan]]), np.array([[np.inf]])],
)
def test_overlay_refuses_what_is_no_map(attention: np.ndarray) -> None:
    with pytest.raises(ValueError, match="attention map"):
        attention_overlay(np.zeros((4, 4, 3), dtype=np.uint8), attention)


def test_enlarge_repeats_the_pixels_of_tiny_images_only() -> None:
    tiny = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    large = enlarge(tiny)
    assert large.shape == (128, 128, 1)
    assert (large[::16, ::16] == tiny).all()
    photo = np.zeros((100, 80, 3), dtype=np.uint8)
    assert enlarge(photo).shape == photo.shape


@pytest.mark.parametrize("channels", [1, 3])
def test_tiny_images_are_embedded_exactly(channels: int) -> None:
    image = np.random.default_rng(0).integers(256, size=(8, 9, channels), dtype=np.uint8)
    element = picture(image, "a digit")
    assert 'class="crisp"' in element
    assert 'alt="a digit"' in element
    assert (np.asarray(decode(element)).reshape(image.shape) == image).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_photographs_are_reduced(channels: int) -> None:
    element = picture(np.full((1000, 500, channels), 77, dtype=np.uint8), "")
    shown = decode(element)
    assert shown.format == "JPEG"
    assert shown.size == (144, 288)
    assert abs(int(np.asarray(shown).mean()) - 77) <= 1
    assert "crisp" not in element


def test_narrow_images_survive() -> None:
    assert decode(picture(np.zeros((1, 4000, 3), dtype=np.uint8), "")).size == (288, 1)


@pytest.mark.parametrize(("channels", "shown"), [(2, [0]), (4, [0, 1, 2]), (13, [0, 1, 2])])
def test_of_other_channels_a_screen_shows_the_first(channels: int, shown: list[int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, channels)).astype(np.uint8)
    seen = np.asarray(decode(picture(image, ""))).reshape(9, 9, -1)
    assert np.array_equal(seen, image[..., shown])


@pytest.mark.parametrize("shape", [(900, 1200, 3), (1000, 20, 1), (400, 300, 5), (8, 8, 2)])
def test_what_is_reduced_looks_the_same_on_a_page(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    small = reduced(image)
    assert max(small.shape[:2]) <= 288
    assert picture(small, "a") == picture(image, "a")
