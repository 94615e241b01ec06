import numpy as np
import pytest

from vitreous.experiments.figure10 import by_distance


def test_pairs_are_grouped_by_where_they_lie() -> None:
    """A grid of 3 x 3, its similarity a function of the distance in rows and columns."""
    rows, columns = np.divmod(np.arange(9), 3)
    apart = np.abs(rows[:, None] - rows) + np.abs(columns[:, None] - columns)
    aligned = (rows[:, None] == rows) | (columns[:, None] == columns)
    similarity = np.where(apart == 1, 0.9, np.where(aligned, 0.5, 0.1))
    np.fill_diagonal(similarity, 1.0)
    found = by_distance(similarity.reshape(3, 3, 3, 3))
    assert found == pytest.approx(
        {"side by side": 0.9, "same row or column": 0.5, "elsewhere": 0.1}
    )
