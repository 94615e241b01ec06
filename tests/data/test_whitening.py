import numpy as np

from vitreous.data.looks import NUM_EVEN, WINDOWS
from vitreous.data.whitening import whiten

ODD = np.arange(63) >= NUM_EVEN


def described(count: int, pattern: float, seed: int = 0) -> np.ndarray:
    """Random descriptors with some of a common pattern."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(count, len(WINDOWS), 63)).astype(np.float32)
    rows += pattern * np.where(ODD, 0, draw.normal(size=63)).astype(np.float32)
    return (rows / np.linalg.norm(rows, axis=2, keepdims=True)).astype(np.float32)


def test_what_all_have_in_common_is_taken_out() -> None:
    before = described(4000, pattern=2)
    (after,) = whiten([before])
    products = [rows[:100, 0] @ rows[100:200, 0].T for rows in (before, after)]
    assert products[0].mean() > 0.5
    assert abs(products[1].mean()) < 0.1


def test_few_images_stay_as_they_are() -> None:
    before = described(2, pattern=0)
    (after,) = whiten([before])
    np.testing.assert_allclose(after, before, atol=0.05)


def test_mirror_images_stay_mirror_images() -> None:
    rows = described(300, pattern=1)
    mirrored = np.where(ODD, -rows, rows)
    there, back = whiten([rows, mirrored])
    np.testing.assert_allclose(back, np.where(ODD, -there, there), atol=1e-5)


def test_nothing_stays_nothing() -> None:
    rows = described(3, pattern=0)
    rows[1] = 0
    (after,) = whiten([rows])
    assert not after[1].any()
    np.testing.assert_allclose(np.linalg.norm(after[[0, 2]], axis=2), 1, rtol=1e-5)
    assert whiten([rows[:0]])[0].shape == (0, len(WINDOWS), 63)
