"""Each operation against Pillow's own, or against pixels that one can count."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from vitreous.data.operations import RAND, WIDE, operations
from vitreous.train.recipes.augreg import STRENGTHS

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
PHOTO = Image.fromarray(PIXELS)
NARROW, BROAD = operations(RAND), operations(WIDE)


def array(image: Image.Image) -> np.ndarray:
    return np.asarray(image, int)


@pytest.mark.parametrize(
    ("name", "strength", "expected"),
    [
        ("identity", 1.0, PHOTO),
        ("autocontrast", 0.3, ImageOps.autocontrast(PHOTO)),
        ("equalize", 0.3, ImageOps.equalize(PHOTO)),
        ("solarize", 0.5, ImageOps.solarize(PHOTO, 128)),
        ("solarize", -1.0, ImageOps.invert(PHOTO)),
        ("posterize", 1.0, ImageOps.posterize(PHOTO, 4)),
        ("saturation", -1.0, ImageEnhance.Color(PHOTO).enhance(0.1)),
        ("contrast", 0.5, ImageEnhance.Contrast(PHOTO).enhance(1.45)),
        ("brightness", 1.0, ImageEnhance.Brightness(PHOTO).enhance(1.9)),
        ("sharpness", -0.5, ImageEnhance.Sharpness(PHOTO).enhance(0.55)),
        ("rotate", 0.5, PHOTO.rotate(15, fillcolor=(128, 128, 128))),
    ],
)
def test_randaugment_is_pillows(name: str, strength: float, expected: Image.Image) -> None:
    assert np.array_equal(array(NARROW[name](PHOTO, strength)), array(expected))


def test_the_wide_ranges() -> None:
    assert np.array_equal(array(BROAD["posterize"](PHOTO, 1.0)), PIXELS // 64 * 64)
    rotated = PHOTO.rotate(-135, fillcolor=(128, 128, 128))
    assert np.array_equal(array(BROAD["rotate"](PHOTO, -1.0)), array(rotated))
    bright = ImageEnhance.Brightness(PHOTO).enhance(0.01)
    assert np.array_equal(array(BROAD["brightness"](PHOTO, -1.0)), array(bright))


def test_translation_moves_by_pixels_and_fills_with_grey() -> None:
    moved = array(BROAD["translate x"](PHOTO, 0.25))  # 32 pixels at full strength
    assert np.array_equal(moved[:, :-8], PIXELS[:, 8:])
    assert (moved[:, -8:] == 128).all()
    moved = array(BROAD["translate y"](PHOTO, -0.25))
    assert np.array_equal(moved[8:], PIXELS[:-8])
    assert (moved[:8] == 128).all()
    moved = array(NARROW["translate y"](PHOTO, 331 / 150 / 4))
    assert np.array_equal(moved[:-12], PIXELS[12:]), "a share of the side"


def test_shear_slides_each_row_by_its_height() -> None:
    moved = array(NARROW["shear x"](PHOTO, 1.0))
    for row in (0, 10, 47):
        shift = int(0.3 * (row + 0.5) + 0.5)  # nearest, at the pixel's centre
        kept = 64 - shift - 1
        assert np.array_equal(moved[row, :kept], PIXELS[row, shift : shift + kept])
    moved = array(NARROW["shear y"](PHOTO, 1.0))
    assert np.array_equal(moved[:40, 0], PIXELS[:40, 0])


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_keeps_the_image_at_no_strength(name: str, channels: int) -> None:
    image = PHOTO if channels == 3 else PHOTO.convert("L")
    for kind in (NARROW, BROAD):
        out = kind[name](image, 0.0)
        assert out.mode == image.mode
        assert out.size == image.size
        if name not in ("autocontrast", "equalize"):
            if name == "solarize":  # the threshold is then above white
                assert np.array_equal(array(out), array(image))
            assert np.abs(array(out) - array(image)).max() <= 1


@pytest.mark.parametrize("magnitude", sorted({m for m, _ in STRENGTHS.values()}) + [30.0])
@pytest.mark.parametrize("name", NARROW)
def test_past_its_range_an_operation_leaves_something_to_see(name: str, magnitude: float) -> None:
    gradient = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (64, 1)))
    for strength in (-magnitude / 10, magnitude / 10):
        for image in (gradient, gradient.convert("RGB")):
            assert NARROW[name](image, strength).getextrema() not in ((0, 0), ((0, 0),) * 3)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "sharpness"])
def test_no_enhancement_turns_negative(name: str) -> None:
    assert np.array_equal(array(NARROW[name](PHOTO, -1.5)), array(NARROW[name](PHOTO, -1.0)))
