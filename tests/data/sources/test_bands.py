import struct
import sys
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from vitreous.data.sources.bands import count_bands, read_bands
from vitreous.data.sources.table import open_table
from vitreous.errors import BadImageError, UserError

RNG = np.random.default_rng(0)
BANDS = RNG.integers(0, 256, (8, 9, 6), np.uint8)


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


KINDS = {
    "contiguous": (BANDS, {"photometric": "minisblack", "planarconfig": "contig"}),
    "by planes": (
        BANDS.transpose(2, 0, 1),
        {"photometric": "minisblack", "planarconfig": "separate", "compression": "zlib"},
    ),
    "big": (BANDS, {"photometric": "rgb", "bigtiff": True}),
    "tiled": (BANDS, {"photometric": "rgb", "tile": (16, 16)}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_bands_of_every_layout(kind):
    pixels, options = KINDS[kind]
    data = tiff(pixels, **options)
    assert count_bands(data) == 6
    np.testing.assert_array_equal(read_bands(data), BANDS)


@pytest.mark.parametrize(
    "data",
    [
        tiff(BANDS[..., :3], photometric="rgb"),
        tiff(BANDS[..., :4], photometric="rgb", extrasamples=["unassalpha"]),
        tiff(BANDS[..., 0]),
        b"II*\0\xff\xff\xff\xff",
        b"\x89PNG\r\n",
        b"",
    ],
)
def test_pictures_and_other_files_have_none(data):
    assert count_bands(data) is None


def test_near_infrared_beside_colour_is_kept(tmp_path, send):
    """Pillow opens such a file as RGB and drops the fourth band."""
    for number in range(2):
        data = tiff(
            BANDS[..., number : number + 4], photometric="rgb", extrasamples=["unspecified"]
        )
        (tmp_path / f"{number}.tif").write_bytes(data)
    (tmp_path / "t.csv").write_text("path,label\n0.tif,a\n1.tif,b\n")
    dataset = open_table(tmp_path / "t.csv", "T")
    assert dataset.channels == 4
    part, _ = send(dataset.parts["train"])
    np.testing.assert_array_equal(part.read(1), BANDS[..., 1:5])
    crop = part.read_crop(1, lambda h, w: (2, 3, h - 4, w - 5), (4, 4))
    np.testing.assert_array_equal(crop, BANDS[2:6, 3:7, 1:5])


def test_16_bits_beside_a_photo(tmp_path):
    colour = BANDS[..., :3]
    Image.fromarray(colour).save(tmp_path / "0.png")
    wide = BANDS[..., 3:5].astype(np.uint16) * 257
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    (tmp_path / "0.tiff").write_bytes(tiff(wide, **options))
    (tmp_path / "t.csv").write_text("path,path2,label\n0.png,0.tiff,a\n")
    part = open_table(tmp_path / "t.csv", "T").parts["train"]
    np.testing.assert_array_equal(part.read(0), BANDS[..., :5])


WHOLE = tiff(BANDS, photometric="rgb")
FLOATS = tiff(BANDS.astype(np.float32), photometric="rgb")


def claiming(data: bytes, **claims: int) -> bytes:
    """A TIFF whose tags tell other numbers; they are short or long, and one each."""
    for name, value in claims.items():
        tag = {"width": 256, "height": 257}[name]
        heads = [struct.pack("<HHI", tag, kind, 1) for kind in (3, 4)]
        at = max(data.find(head) for head in heads)
        data = data[:at] + struct.pack("<HHII", tag, 4, 1, value) + data[at + 12 :]
    return data


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (WHOLE[: len(WHOLE) // 2], "."),
        (FLOATS, "float32"),
        (claiming(WHOLE, width=50_000_000), "pixels are over the limit"),
        (
            claiming(WHOLE, width=8000, height=8000),
            "8000 x 8000 pixels of 6 bands are over the limit of 256 million values",
        ),
        (tiff(BANDS[..., :5], photometric="rgb"), "5 channels where the others have 6"),
        (tiff(BANDS[..., :3], photometric="rgb"), "an image file where the others are arrays of 6"),
    ],
)
def test_a_file_that_does_not_fit_is_a_bad_image(tmp_path, content, reason):
    (tmp_path / "0.tif").write_bytes(WHOLE)
    (tmp_path / "1.tif").write_bytes(content)
    (tmp_path / "t.csv").write_text("path,label\n0.tif,a\n1.tif,b\n")
    part = open_table(tmp_path / "t.csv", "T").parts["train"]
    assert part.read(0).shape == (8, 9, 6)
    with pytest.raises(BadImageError, match=rf"1\.tif: .*{reason}"):
        part.read(1)


def test_without_tifffile_the_line_that_installs_it(tmp_path, monkeypatch):
    (tmp_path / "0.tif").write_bytes(WHOLE)
    (tmp_path / "t.csv").write_text("path,label\n0.tif,a\n")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(UserError, match=r"pip install 'vitreous\[tiff\]'"):
        open_table(tmp_path / "t.csv", "T")
