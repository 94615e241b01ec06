import numpy as np
import pytest
from PIL import Image

from vitreous.data.modes import fit_channels, to_uint8


def grey(image: Image.Image) -> list[int]:
    return to_uint8(image, 1)[0, :, 0].tolist()


def rgb(image: Image.Image) -> list[list[int]]:
    return to_uint8(image, 3)[0].tolist()


def row(levels: list, dtype: type) -> Image.Image:
    return Image.fromarray(np.array([levels], dtype))


def test_one_bit_becomes_black_and_white():
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert grey(image) == [0, 255]
    assert rgb(image) == [[0, 0, 0], [255, 255, 255]]


def test_16_bit_levels_are_scaled_and_not_clipped():
    # v / 257, rounded: 128 / 257 = 0.498 and 129 / 257 = 0.502 fall either side of a half.
    assert grey(row([0, 128, 129, 257, 31000, 65535], np.uint16)) == [0, 0, 1, 1, 121, 255]


def test_16_bit_transparent_level_becomes_white():
    image = row([0, 31000, 65535], np.uint16)
    image.info["transparency"] = 0
    assert grey(image) == [255, 121, 255]


def test_32_bit_integers_are_16_bit_levels():
    assert grey(row([0, 257, 65535], np.int32)) == [0, 1, 255]


@pytest.mark.parametrize("levels", [[-1, 0], [0, 65536]])
def test_integers_outside_16_bits_are_refused(levels):
    with pytest.raises(ValueError, match=r"outside 0\.\.65535"):
        to_uint8(row(levels, np.int32), 1)


def test_floats_within_one_are_shares_and_others_are_levels():
    assert grey(row([0, 0.5, 1], np.float32)) == [0, 128, 255]
    assert grey(row([0, 100.4, 255], np.float32)) == [0, 100, 255]


@pytest.mark.parametrize("levels", [[-0.1, 1], [0, 256], [0, np.nan], [0, np.inf]])
def test_floats_without_a_meaning_are_refused(levels):
    with pytest.raises(ValueError, match="float levels"):
        to_uint8(row(levels, np.float32), 1)


@pytest.fixture
def palette() -> Image.Image:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    return image


def test_palette_becomes_its_colours(palette):
    assert rgb(palette) == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_transparent_palette_entry_becomes_white(palette):
    palette.info["transparency"] = 1
    assert rgb(palette) == [[255, 0, 0], [255, 255, 255], [0, 0, 255]]


def test_palette_of_alphas_is_composed_over_white(palette):
    palette.info["transparency"] = bytes([255, 0, 128])  # 127 = (255 - 128) / 255 of white
    assert rgb(palette) == [[255, 0, 0], [255, 255, 255], [127, 127, 255]]


def test_palette_with_alpha_in_itself():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 9, 8, 7, 255], "RGBA")
    image.putdata([0, 1])
    assert rgb(image) == [[255, 255, 255], [9, 8, 7]]


def test_rgb_alpha_is_composed_over_white():
    image = Image.new("RGBA", (3, 1))
    image.putdata([(0, 0, 0, 0), (0, 0, 0, 128), (10, 20, 30, 255)])
    assert rgb(image) == [[255, 255, 255], [127, 127, 127], [10, 20, 30]]


@pytest.mark.parametrize("mode", ["LA", "La"])
def test_grey_alpha_is_composed_over_white(mode):
    image = Image.new("LA", (3, 1))
    image.putdata([(0, 0), (0, 128), (77, 255)])
    image = image if mode == "LA" else Image.merge("LA", image.split()).convert("La")
    assert grey(image) == [255, 127, 77]
    assert rgb(image) == [[255] * 3, [127] * 3, [77] * 3]


@pytest.mark.parametrize(("mode", "pixel"), [("L", 5), ("RGB", (5, 5, 5)), ("1", 0)])
def test_transparent_colour_becomes_white(mode, pixel):
    image = Image.new(mode, (2, 1), pixel)
    image.putpixel((1, 0), 255 if mode != "RGB" else (9, 9, 255))
    image.info["transparency"] = pixel
    assert rgb(image)[0] == [255, 255, 255]
    assert rgb(image)[1] == [255] * 3 if mode != "RGB" else [9, 9, 255]


def test_cmyk_ink_darkens():
    image = Image.new("CMYK", (4, 1))
    image.putdata([(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 255, 0), (0, 0, 0, 255)])
    assert rgb(image) == [[255, 255, 255], [0, 255, 255], [255, 0, 0], [0, 0, 0]]


def test_grey_is_repeated_and_colour_is_weighed():
    assert rgb(Image.new("L", (1, 1), 77)) == [[77, 77, 77]]
    # ITU-R 601: 0.299, 0.587 and 0.114 of 255.
    image = Image.new("RGB", (3, 1))
    image.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    assert grey(image) == [76, 150, 29]


@pytest.mark.parametrize("stored", [1, 3])
@pytest.mark.parametrize("wanted", [1, 3])
def test_fit_channels_agrees_with_pillow(stored, wanted):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, stored), np.uint8)
    image = Image.fromarray(pixels if stored == 3 else pixels[..., 0])
    expected = np.array(image.convert("L" if wanted == 1 else "RGB")).reshape(4, 5, wanted)
    np.testing.assert_array_equal(fit_channels(pixels, wanted), expected)
