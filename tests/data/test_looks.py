import errno
import os

import numpy as np
import pytest

from vitreous.data.looks import NUM_EVEN, SIDE, WINDOWS, describe, look, thumbnail
from vitreous.errors import UserError


def noise(seed: int, size: tuple[int, int] = (96, 120)) -> np.ndarray:
    """Something with detail of every size."""
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (*size, 3), dtype=np.uint8)


def test_a_thumbnail_is_the_mean_of_what_each_pixel_covers() -> None:
    pixels = noise(0, (128, 192))
    grey = pixels @ np.array([299, 587, 114]) / 1000
    means = grey.reshape(SIDE, 2, SIDE, 3).mean((1, 3))
    np.testing.assert_allclose(thumbnail(pixels), means, atol=1.5)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_thumbnails_of_any_channels(channels: int) -> None:
    level = np.full((10, 200, channels), 77, np.uint8)
    assert (thumbnail(level) == 77).all()


def test_descriptors_are_the_dct_of_each_window() -> None:
    small = np.random.default_rng(1).integers(0, 256, (1, SIDE, SIDE), dtype=np.uint8)
    found = describe(small)
    assert found.shape == (1, len(WINDOWS), 63)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, rtol=1e-5)
    # The integral of each cosine over each pixel, by brute force on a fine grid.
    fine = (np.arange(SIDE * 50) + 0.5) / (SIDE * 50)
    cosine = np.cos(np.pi * np.arange(8)[:, None] * fine).reshape(8, SIDE, 50).mean(2)
    whole = cosine @ small[0].astype(float) @ cosine.T
    row, column = np.indices((8, 8))
    weighted = (whole * np.hypot(row, column)).ravel()[1:]
    odd = column.ravel()[1:] % 2 == 1
    expected = np.concatenate([weighted[~odd], weighted[odd]])
    np.testing.assert_allclose(found[0, 0], expected / np.linalg.norm(expected), atol=1e-3)


def test_a_mirror_image_changes_the_sign_of_the_odd_and_nothing_else() -> None:
    small = np.random.default_rng(2).integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8)
    there, back = describe(small)[:, 0], describe(small[:, :, ::-1])[:, 0]
    np.testing.assert_allclose(back, np.where(np.arange(63) < NUM_EVEN, there, -there), atol=1e-5)


def test_look_reads_each_image_once_and_names_the_unreadable(memory) -> None:
    part = memory(count=5, size=(40, 50), bad=(3,))
    shares: list[float] = []
    looks = look(part, threads=2, on_progress=shares.append)
    assert sorted(part.reads) == [0, 1, 2, 3, 4]
    assert looks.unreadable == {3: "broken"}
    assert looks.digests[3] == b""
    assert len(set(looks.digests.tolist())) == 5
    assert (looks.thumbnails[4] == 4).all()
    assert not looks.descriptors.any()  # flat images have nothing to compare
    assert shares == [1.0]


def test_few_pixels_count_only_where_they_are_equal(memory) -> None:
    looks = look(memory(count=3, size=(31, 99)))
    assert not looks.thumbnails.any()
    assert all(looks.digests)


def test_an_empty_part(memory) -> None:
    assert len(look(memory(count=0))) == 0


def test_a_full_folder_of_temporary_files_is_one_line(memory, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(UserError, match=r"no room for 0 MB of thumbnails .*set TMPDIR"):
        look(memory(count=3))


def test_thumbnails_have_their_bytes_before_they_are_mapped(memory, monkeypatch) -> None:
    given = []
    monkeypatch.setattr(os, "posix_fallocate", lambda file, start, size: given.append(size))
    look(memory(count=3))
    assert given == [3 * SIDE * SIDE]
