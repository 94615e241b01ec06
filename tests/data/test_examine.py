import io

import numpy as np
import pytest
from PIL import Image

from vitreous.data.decode import decode
from vitreous.data.examine import ODD, UNREADABLE, examine, fault_kind
from vitreous.data.header import FORMATS
from vitreous.errors import BadImageError

RGB = Image.new("RGB", (40, 30), (9, 99, 200))
TURNED = Image.Exif()
TURNED[0x112] = 6


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def deep_colour() -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads and does not write."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress((b"\0" + b"\x12\x34" * 3 * 4) * 4)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


GREY_16 = encode(Image.fromarray(np.zeros((4, 4), np.uint16)), "PNG")


@pytest.mark.parametrize(
    ("data", "name", "kind", "odd"),
    [
        (encode(RGB, "JPEG"), "a.jpg", "JPEG", ()),
        (encode(RGB, "JPEG"), "a.JPEG", "JPEG", ()),
        (encode(RGB, "JPEG"), "archive/000", "JPEG", ()),
        (encode(RGB, "GIF"), "a.jpg", "GIF", ("renamed",)),
        (encode(RGB, "JPEG", exif=TURNED), "a.jpg", "JPEG", ("rotated",)),
        (encode(RGB.convert("CMYK"), "JPEG"), "a.jpg", "JPEG", ("CMYK",)),
        (GREY_16, "a.png", "PNG", ("16-bit",)),
        (deep_colour(), "a.png", "PNG", ("16-bit",)),
        (encode(RGB.convert("RGBA"), "PNG"), "a.png", "PNG", ("transparent",)),
        (
            encode(RGB, "GIF", save_all=True, append_images=[Image.new("RGB", (40, 30))]),
            "a.gif",
            "GIF",
            ("animated",),
        ),
        (b"\xff\xd8\xff broken", "a.jpg", "JPEG", ()),
        (b"text", "a.jpg", "", ()),
        (b"", "a.jpg", "", ()),
    ],
)
def test_what_a_header_says(data: bytes, name: str, kind: str, odd: tuple[str, ...]) -> None:
    facts = examine(data, name)
    assert (facts.format, facts.odd) == (kind, odd)
    assert set(odd) <= set(ODD)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"no image", "unknown"),
        (encode(RGB, "JPEG")[:300], "damaged"),
        (encode(RGB, "PNG")[:50], "damaged"),
        (None, "missing"),
    ],
)
def test_kinds_of_faults(data: bytes | None, kind: str) -> None:
    error = BadImageError("x", "No such file or directory")
    if data is not None:
        with pytest.raises(BadImageError) as caught:
            decode(data, "x")
        error = caught.value
    assert fault_kind(error, data) == kind
    assert kind in UNREADABLE


def test_a_bomb_is_refused_from_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitreous.data.header.MAX_PIXELS", 1000)
    data = encode(RGB, "PNG")
    with pytest.raises(BadImageError) as caught:
        decode(data, "x")
    assert fault_kind(caught.value, data) == "too large"


def test_every_format_has_its_endings() -> None:
    for name, _, _ in FORMATS:
        ending = {"JPEG": "jpg", "TIFF": "tif", "PNM": "ppm"}.get(name, name.lower())
        assert examine(encode(RGB, "PNG"), f"a.{ending}").odd == (
            () if name == "PNG" else ("renamed",)
        )
