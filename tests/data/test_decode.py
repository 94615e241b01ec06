import tarfile
import warnings
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from vitreous.data.decode import decode, image_size, is_grey
from vitreous.errors import BadImageError


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def smooth(height: int, width: int, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def by_pillow(data: bytes, mode: str = "RGB") -> np.ndarray:
    return np.array(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert(mode))


PHOTO = smooth(45, 61)
JPEG = encoded(PHOTO, "JPEG", quality=90)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_pixels_back(kind):
    np.testing.assert_array_equal(decode(encoded(PHOTO, kind), "x"), np.array(PHOTO))


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "GIF"])
def test_other_formats_equal_pillow(kind):
    data = encoded(PHOTO, kind)
    np.testing.assert_array_equal(decode(data, "x"), by_pillow(data))


@pytest.mark.parametrize(
    "options",
    [{}, {"quality": 50}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}],
    ids=str,
)
@pytest.mark.parametrize(("height", "width"), [(45, 61), (1, 1), (1, 400), (400, 1), (16, 16)])
def test_jpeg_is_bit_equal_to_pillow(options, height, width):
    data = encoded(smooth(height, width), "JPEG", **options)
    np.testing.assert_array_equal(decode(data, "x"), by_pillow(data))
    np.testing.assert_array_equal(decode(data, "x", 1)[..., 0], by_pillow(data, "L"))


def test_grey_jpeg_in_one_and_three_channels():
    data = encoded(PHOTO.convert("L"), "JPEG")
    np.testing.assert_array_equal(decode(data, "x", 1)[..., 0], by_pillow(data, "L"))
    np.testing.assert_array_equal(decode(data, "x", 3), by_pillow(data, "RGB"))


def test_real_photos_are_bit_equal_to_pillow(shared_data):
    with tarfile.open(shared_data / "flower_photos_originals_40.tar") as archive:
        for member in archive.getmembers()[1::5]:
            data = archive.extractfile(member).read()
            np.testing.assert_array_equal(decode(data, member.name), by_pillow(data))


@pytest.mark.parametrize("min_side", [1, 11, 12, 22, 23, 44, 45, 46, 1000])
def test_reduced_scale_keeps_the_shorter_side(min_side):
    pixels = decode(JPEG, "x", min_side=min_side)
    whole = (45, 61)
    assert min(pixels.shape[:2]) >= min(min_side, 45)
    scale = whole[0] / pixels.shape[0]
    assert abs(whole[1] / scale - pixels.shape[1]) <= 1
    if pixels.shape[:2] == whole:
        np.testing.assert_array_equal(pixels, decode(JPEG, "x"))
    else:
        assert pixels.shape[0] <= 23  # half or less


def test_reduced_scale_is_taken_and_shows_the_same_picture():
    pixels = decode(encoded(smooth(400, 600), "JPEG"), "x", min_side=100)
    assert pixels.shape == (100, 150, 3)
    expected = np.array(smooth(400, 600).resize((150, 100), Image.Resampling.BOX))
    assert np.abs(pixels.astype(int) - expected).mean() < 3


def test_pixels_are_fresh_and_in_c_order():
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (JPEG, encoded(PHOTO, "JPEG", exif=exif), encoded(PHOTO, "PNG")):
        pixels = decode(data, "x")
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable


# What (row, column) of an upright 2 x 3 image each orientation stores, from the EXIF 2.3 table:
# 1 top-left, 2 top-right, 3 bottom-right, 4 bottom-left, 5 left-top, 6 right-top, 7 right-bottom,
# 8 left-bottom (where the stored first row and first column lie).
UPRIGHT = np.array([[10, 60, 110], [160, 210, 255]], np.uint8)
STORED = {
    1: [[10, 60, 110], [160, 210, 255]],
    2: [[110, 60, 10], [255, 210, 160]],
    3: [[255, 210, 160], [110, 60, 10]],
    4: [[160, 210, 255], [10, 60, 110]],
    5: [[10, 160], [60, 210], [110, 255]],
    6: [[110, 255], [60, 210], [10, 160]],
    7: [[255, 110], [210, 60], [160, 10]],
    8: [[160, 10], [210, 60], [255, 110]],
}


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(kind, value):
    # Blocks of 16 x 16, so that JPEG keeps them apart.
    stored = np.kron(np.array(STORED[value], np.uint8), np.ones((16, 16), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = value
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(stored).convert("RGB"), kind, exif=exif, **options)
    pixels = decode(data, "x")
    assert pixels.shape == (32, 48, 3)
    assert np.abs(pixels[8::16, 8::16, 0].astype(int) - UPRIGHT).max() <= 2
    assert image_size(data, "x") == (32, 48)
    if kind == "JPEG":
        reduced = decode(data, "x", min_side=16)
        assert reduced.shape == (16, 24, 3)
        assert np.abs(reduced[4::8, 4::8, 0].astype(int) - UPRIGHT).max() <= 2


def test_cmyk_jpeg_with_adobes_inverted_inks():
    # Pillow writes the Adobe marker and inverted inks, as Photoshop does.
    inks = Image.new("CMYK", (32, 32), (200, 30, 10, 20))
    data = encoded(inks, "JPEG", quality=100)
    assert b"Adobe" in data
    # R = 255 (1 - C/255) (1 - K/255), and so on: 50.7, 207.4, 225.8.
    assert np.abs(decode(data, "x")[16, 16].astype(int) - [51, 207, 226]).max() <= 1
    np.testing.assert_array_equal(decode(data, "x"), by_pillow(data))


def test_modes_reach_through_files():
    deep = Image.fromarray(np.array([[0, 31000, 65535]], np.uint16))
    assert decode(encoded(deep, "PNG"), "x", 1)[0, :, 0].tolist() == [0, 121, 255]
    assert decode(encoded(deep, "TIFF"), "x", 1)[0, :, 0].tolist() == [0, 121, 255]
    assert decode(b"P5 2 1 65535\n\x79\x18\xff\xff", "x", 1)[0, :, 0].tolist() == [121, 255]
    clear = Image.new("RGBA", (1, 1), (0, 0, 0, 128))
    assert decode(encoded(clear, "PNG"), "x")[0, 0].tolist() == [127, 127, 127]
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1])
    data = encoded(palette, "PNG", transparency=0)
    assert decode(data, "x")[0].tolist() == [[255, 255, 255], [0, 0, 255]]
    assert decode(encoded(palette, "GIF", transparency=1), "x")[0, 1].tolist() == [255] * 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_several(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(BytesIO(data)).n_frames == 3
    assert (decode(data, "x") == [255, 0, 0]).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"])
def test_half_a_file_is_bad(kind):
    data = encoded(PHOTO, kind)
    for end in (len(data) // 2, len(data) - 40 if kind != "PNG" else len(data) - 60, 20, 3):
        with pytest.raises(BadImageError) as caught:
            decode(data[:end], "folder/cat.jpg")
        assert caught.value.name == "folder/cat.jpg"
        assert caught.value.reason
        assert len(caught.value.reason) <= 160
        assert "\n" not in caught.value.reason
        assert " at 0x" not in caught.value.reason


def test_jpeg_without_its_last_byte_is_bad():
    with pytest.raises(BadImageError, match="Premature end"):
        decode(JPEG[:-1], "x")


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"<html>not found</html>", "known format"), (b"\xff\xd8\xff", ".")],
)
def test_bytes_that_are_no_image(data, reason):
    for read in (decode, image_size, is_grey):
        with pytest.raises(BadImageError, match=reason):
            read(data, "x")


def test_channels_are_one_or_three():
    with pytest.raises(ValueError, match="not 4"):
        decode(JPEG, "x", 4)


@pytest.mark.parametrize(
    ("mode", "kind", "grey"),
    [
        ("L", "JPEG", True),
        ("L", "PNG", True),
        ("1", "PNG", True),
        ("LA", "PNG", True),
        ("I;16", "PNG", True),
        ("F", "TIFF", True),
        ("RGB", "JPEG", False),
        ("CMYK", "JPEG", False),
        ("P", "GIF", False),
        ("RGBA", "PNG", False),
    ],
)
def test_is_grey_tells_by_the_mode(mode, kind, grey):
    assert is_grey(encoded(Image.new(mode, (4, 4)), kind), "x") is grey


def test_image_size_is_height_and_width():
    for kind in ("JPEG", "PNG", "GIF"):
        assert image_size(encoded(PHOTO, kind), "x") == (45, 61)


SEEDS = [
    encoded(smooth(20, 30), kind, **options)
    for kind, options in [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {}),
        ("PPM", {}),
    ]
]
EDIT = st.tuples(st.integers(0, 5000), st.binary(min_size=0, max_size=4))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.one_of(st.sampled_from(SEEDS), st.binary(max_size=200)),
    edits=st.lists(EDIT, max_size=6),
    end=st.integers(0, 6000),
    channels=st.sampled_from([1, 3]),
    min_side=st.sampled_from([None, 4, 16]),
)
def test_any_bytes_decode_or_are_named_bad(data, edits, end, channels, min_side):
    for at, new in edits:
        data = data[:at] + new + data[at + len(new) :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = decode(data[:end], "name", channels, min_side)
        except BadImageError as caught:
            error = caught
        else:
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
            assert pixels.shape[2] == channels
            return
    assert error.name == "name"
    assert error.reason
