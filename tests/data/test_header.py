import struct
import warnings
import zlib
from io import BytesIO

import pytest
import simplejpeg
from PIL import Image, ImageFile, _webp

from vitreous.data.decode import decode
from vitreous.data.header import MAX_PIXELS, _webp_size, jpeg_layout, open_header
from vitreous.errors import BadImageError


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int) -> bytes:
    data = encoded(Image.new("RGB", (8, 8)), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def gif_of(width: int, height: int) -> bytes:
    data = encoded(Image.new("P", (8, 8)), "GIF")
    return data[:6] + struct.pack("<HH", width, height) + data[10:]


def gif_with_frame_of(width: int, height: int) -> bytes:
    data = encoded(Image.new("P", (8, 8)), "GIF", comment=b"a, comment; with marks")
    at = data.rindex(b"," + struct.pack("<HHHH", 0, 0, 8, 8)) + 5
    return data[:at] + struct.pack("<HH", width, height) + data[at + 4 :]


def webp_of(width: int, height: int) -> bytes:
    data = encoded(Image.new("RGB", (8, 8)), "WEBP", lossless=True)
    at = data.index(b"VP8L") + 9  # past the chunk's size and the signature byte
    (bits,) = struct.unpack_from("<I", data, at)
    bits = (bits >> 28 << 28) | (height - 1) << 14 | (width - 1)
    return data[:at] + struct.pack("<I", bits) + data[at + 4 :]


def bmp_of(width: int, height: int) -> bytes:
    data = encoded(Image.new("L", (8, 8)), "BMP")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def tiff_of(width: int, height: int) -> bytes:
    data = encoded(Image.new("L", (9, 7)), "TIFF")
    for tag, old, new in ((256, 9, width), (257, 7, height)):
        for kind, form in ((3, "<HHIHxx"), (4, "<HHII")):
            data = data.replace(
                struct.pack(form, tag, kind, 1, old), struct.pack("<HHII", tag, 4, 1, new)
            )
    return data


def ppm_of(width: int, height: int) -> bytes:
    return b"P6 %d %d 255\n" % (width, height)


BOMBS = [jpeg_of, png_of, gif_of, gif_with_frame_of, webp_of, bmp_of, tiff_of, ppm_of]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
@pytest.mark.parametrize("side", [8001, 10_000, 16_000])
def test_too_many_pixels_are_refused_from_the_header(bomb, side, monkeypatch):
    # 8001 x 8001 is just over our limit; Pillow warns from 89 and refuses from 179 million.
    data = bomb(side, side)
    decoded = []
    # WebP's decoder takes the memory of all pixels when it is made.
    ways = ((ImageFile.ImageFile, "load"), (simplejpeg, "decode_jpeg"), (_webp, "WebPAnimDecoder"))
    for decoder, way in ways:
        monkeypatch.setattr(decoder, way, lambda *given, **options: decoded.append(given))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(BadImageError, match="over the limit of 64 million|exceeds limit"):
            decode(data, "bomb")
    assert caught == []
    assert decoded == []


@pytest.mark.parametrize(
    "options",
    [
        {"lossless": True},
        {"lossless": False},
        {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"},
        {"alpha": True},
    ],
)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (9, 300), (4097, 2)])
def test_the_size_of_every_kind_of_webp(options, width, height):
    mode = "RGBA" if options.get("alpha") else "RGB"
    saved = {name: value for name, value in options.items() if name != "alpha"}
    data = encoded(Image.new(mode, (width, height)), "WEBP", **saved)
    assert _webp_size(data) == (height, width)


def test_the_limit_itself_is_allowed():
    image = open_header(png_of(8000, 8000))
    assert image.width * image.height == MAX_PIXELS


def test_formats_outside_the_list_are_refused():
    with pytest.raises(ValueError, match="known format"):
        open_header(encoded(Image.new("RGB", (4, 4)), "TGA"))


def with_orientation(value: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return encoded(Image.new("RGB", (4, 4)), "JPEG", exif=exif)


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_read_from_exif(value):
    assert jpeg_layout(with_orientation(value)).orientation == value


def test_orientation_is_read_from_xmp_where_there_is_no_exif():
    data = encoded(Image.new("RGB", (4, 4)), "JPEG", xmp=b'<x tiff:Orientation="6"/>')
    assert jpeg_layout(data).orientation == 6


@pytest.mark.parametrize(
    ("kind", "start"), [("JPEG", b"Exif\0\0"), ("PNG", b"eXIf"), ("WEBP", b"EXIF")]
)
def test_damaged_metadata_is_upright_in_every_format(kind, start):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.new("RGB", (4, 2), "red"), kind, exif=exif, **options)
    assert decode(data, "x").shape == (4, 2, 3)
    at = data.index(start) + (8 if kind == "WEBP" else len(start))
    damaged = bytearray(data)
    damaged[at : at + 12] = b"\xff" * 12
    if kind == "PNG":  # its checksum must hold, or the chunk counts for nothing
        end = at + int.from_bytes(data[at - 8 : at - 4], "big")
        damaged[end : end + 4] = struct.pack(">I", zlib.crc32(damaged[at - 4 : end]))
    assert decode(bytes(damaged), "x").shape == (2, 4, 3)


def test_restart_markers_and_the_only_scan_are_found():
    plain = encoded(Image.new("RGB", (40, 40)), "JPEG")
    marked = encoded(Image.new("RGB", (40, 40)), "JPEG", restart_marker_blocks=3)
    assert (jpeg_layout(plain).restart, jpeg_layout(marked).restart) == (0, 3)
    scan = jpeg_layout(marked).scan
    assert marked[scan - 3 : scan] == b"\x00\x3f\x00"  # all coefficients of a baseline scan
    progressive = encoded(Image.new("RGB", (40, 40)), "JPEG", progressive=True)
    assert jpeg_layout(progressive).scan is None


def test_orientation_that_makes_no_sense_is_upright():
    plain = encoded(Image.new("RGB", (4, 4)), "JPEG")
    assert jpeg_layout(plain).orientation == 1
    assert jpeg_layout(with_orientation(9)).orientation == 1
    data = with_orientation(6)
    at = data.index(b"Exif\0\0") + 6
    assert jpeg_layout(data[:at] + b"\xff" * 12 + data[at + 12 :]).orientation == 1
