import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from vitreous.errors import UserError
from vitreous.evaluate import neighbours
from vitreous.evaluate.neighbours import nearest_labels


@pytest.mark.parametrize("k", [1, 7, 50])
def test_it_is_scikit_learns_with_the_same_votes(k, monkeypatch) -> None:
    monkeypatch.setattr(neighbours, "_CHUNK", 500)  # in pieces, the last one smaller
    draw = np.random.default_rng(0)
    train, test = draw.standard_normal((60, 5)), draw.standard_normal((23, 5))
    labels = draw.integers(0, 4, 60)
    theirs = KNeighborsClassifier(
        k, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.07)
    ).fit(train, labels)
    tensors = map(torch.from_numpy, (train, labels, test))
    told = nearest_labels(*tensors, neighbours=k)
    assert told.tolist() == theirs.predict(test).tolist()


def test_more_than_there_are_is_refused() -> None:
    x = torch.randn(3, 2)
    with pytest.raises(UserError, match="give --neighbours 1 to 3"):
        nearest_labels(x, torch.tensor([0, 1, 0]), x, neighbours=4)
