"""The embedded default: 1,797 scans of handwritten digits that come with scikit-learn.

8 x 8 pixels of 17 levels, UCI ML "Optical Recognition of Handwritten Digits" (E. Alpaydin,
C. Kaynak; CC BY 4.0), the test set of that data.
"""

from functools import partial

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.sample import Dataset
from vitreous.data.sources.pixels import PixelPart, numbered

TEST_FRACTION = 0.2
TEST_SEED = 0


def open_digits(address: str = "digits") -> Dataset:
    """Open the digits: 1,437 images to train and 360 to test.

    The test part is the same on every machine: a fifth, stratified, by scikit-learn's
    `train_test_split` with `random_state=0`. Levels 0..16 are scaled to 0..255.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    labels = load_digits().target.astype(np.int64)
    names = numbered("digits", len(labels))
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_FRACTION, stratify=labels, random_state=TEST_SEED
    )
    parts = {
        name: PixelPart([names[i] for i in rows], labels[rows], partial(_pixels, rows))
        for name, rows in (("train", np.sort(train)), ("test", np.sort(test)))
    }
    return Dataset(
        address=address,
        class_names=tuple(str(digit) for digit in range(10)),
        parts=parts,
        channels=1,
        image_size=(8, 8),
    )


def _pixels(rows: Int64[np.ndarray, " n"]) -> UInt8[np.ndarray, "n 8 8 1"]:
    from sklearn.datasets import load_digits

    levels: np.ndarray = load_digits().images[rows, :, :, None]
    return np.rint(levels * (255 / 16)).astype(np.uint8)
