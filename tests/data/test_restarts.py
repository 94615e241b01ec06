import io

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vitreous.data.crop import Box, cut
from vitreous.data.decode import decode
from vitreous.data.header import jpeg_layout
from vitreous.data.region import decode_region
from vitreous.data.restarts import cut_jpeg, restart_interval
from vitreous.errors import BadImageError

H, W = 150, 213


def jpeg(height: int = H, width: int = W, **options: object) -> bytes:
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (height // 9 + 2, width // 9 + 2, 3)).astype(np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    if options.pop("grey", False):
        image = image.convert("L")
    image.save(file, "JPEG", **({"quality": 92, "subsampling": 2} | options))
    return file.getvalue()


def box(corners: tuple[int, int, int, int]) -> Box:
    top, bottom = sorted(corners[:2])
    left, right = sorted(corners[2:])
    return top, left, bottom - top + 1, right - left + 1


BOXES = st.tuples(*[st.integers(0, side - 1) for side in (H, H, W, W)]).map(box)

# 213 pixels are 14 units of 16 and 27 of 8.
KINDS = {
    "4:2:0": {"restart_marker_blocks": 2},
    "4:2:0, rows": {"restart_marker_rows": 1},
    "4:2:0, pairs of rows": {"restart_marker_rows": 2},
    "4:2:2": {"subsampling": 1, "restart_marker_blocks": 7},
    "4:4:4": {"subsampling": 0, "restart_marker_blocks": 3},
    "grey": {"grey": True, "restart_marker_blocks": 9},
    "over the edge of a row": {"restart_marker_blocks": 5},
    "progressive": {"progressive": True, "restart_marker_blocks": 2},
    "optimised": {"optimize": True, "restart_marker_blocks": 2},
}


@pytest.mark.parametrize("kind", KINDS)
@given(box=BOXES, factor=st.sampled_from([1, 2, 4]))
@settings(max_examples=25)
def test_a_box_has_the_pixels_of_the_whole_file(kind: str, box: Box, factor: int) -> None:
    data = jpeg(**KINDS[kind])
    plain = jpeg(**{k: v for k, v in KINDS[kind].items() if not k.startswith("restart")})
    size = max(box[2] // factor, 1), max(box[3] // factor, 1)
    pixels = decode_region(data, "a", 3, lambda *_: box, size)
    assert np.array_equal(pixels, decode_region(plain, "a", 3, lambda *_: box, size))
    if factor == 1:
        assert np.array_equal(pixels, cut(decode(data, "a"), box))


def test_only_the_intervals_that_a_box_touches_are_kept() -> None:
    data = jpeg(restart_marker_blocks=2)
    found = cut_jpeg(data, jpeg_layout(data), (16, 16), (40, 70), (33, 90))
    assert found is not None
    assert found[1:] == (32, 32, 48, 64)
    assert len(found.data) < len(data) / 2
    kept = simplejpeg.decode_jpeg(bytes(found.data), strict=True)
    inside = slice(2, -2)  # colour at the edge has no neighbour now
    assert np.array_equal(kept[inside, inside], decode(data, "a")[34:78, 34:94])


def test_the_last_row_and_column_may_be_part_of_a_unit() -> None:
    data = jpeg(restart_marker_blocks=2)
    found = cut_jpeg(data, jpeg_layout(data), (16, 16), (140, H), (200, W))
    assert found is not None
    assert found[1:] == (128, 192, H - 128, W - 192)


@pytest.mark.parametrize("kind", ["none", "over the edge of a row", "progressive"])
def test_files_without_fitting_markers_are_left_alone(kind: str) -> None:
    data = jpeg(**KINDS.get(kind, {}))
    assert cut_jpeg(data, jpeg_layout(data), (16, 16), (0, 20), (0, 20)) is None


def test_a_box_of_most_of_the_image_is_not_cut() -> None:
    data = jpeg(restart_marker_blocks=2)
    assert cut_jpeg(data, jpeg_layout(data), (16, 16), (0, H), (0, W)) is None


def test_a_missing_marker_is_left_to_the_decoder_which_names_it() -> None:
    data = jpeg(restart_marker_blocks=2)
    broken = data.replace(b"\xff\xd3", b"", 1)
    assert cut_jpeg(broken, jpeg_layout(broken), (16, 16), (0, 20), (0, 20)) is None
    with pytest.raises(BadImageError, match="a: Corrupt JPEG data"):
        decode_region(broken, "a", 3, lambda *_: (60, 0, 90, 200), (90, 200))


@pytest.mark.parametrize(("width", "unit", "interval"), [(341, 16, 2), (256, 16, 2), (16, 16, 1)])
def test_intervals_divide_a_row(width: int, unit: int, interval: int) -> None:
    assert restart_interval(width, unit) == interval


@given(st.integers(1, 3000), st.sampled_from([8, 16]))
def test_intervals_are_no_narrower_than_pays(width: int, unit: int) -> None:
    across, units = -(-width // unit), restart_interval(width, unit)
    assert across % units == 0
    assert units * unit >= min(32, across * unit)
