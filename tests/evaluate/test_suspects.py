import numpy as np
import torch

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import BadImageError
from vitreous.evaluate.suspects import features, suspect_labels
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.parallel.device import choose_engine
from vitreous.weights.passport import Passport


def clusters(count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Three directions with some noise, and their labels."""
    labels = np.arange(3 * count) % 3
    noise = np.random.default_rng(0).normal(scale=0.1, size=(3 * count, 8))
    return (np.eye(8)[labels] + noise).astype(np.float32), labels


def test_planted_mistakes_are_found_and_nothing_else() -> None:
    vectors, labels = clusters()
    wrong = labels.copy()
    for row, label in ((4, 0), (30, 2), (71, 1)):
        wrong[row] = label
    found = suspect_labels(vectors * 7, wrong)
    assert sorted((s.index, s.given, s.suggested) for s in found) == [
        (4, 0, 1),
        (30, 2, 0),
        (71, 1, 2),
    ]
    strengths = [s.strength for s in found]
    assert strengths == sorted(strengths, reverse=True)
    assert all(0.5 <= strength <= 1 for strength in strengths)
    for s in found:
        assert wrong[s.neighbour] == s.suggested
        assert s.neighbour != s.index


def test_a_vote_by_hand() -> None:
    """Two neighbours of class 1 at right angles count exp(-1/0.07) beside one at the same place."""
    vectors = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    assert suspect_labels(vectors, np.array([0, 0, 1, 1]), neighbours=3, least=0.9) == []
    (first, second) = suspect_labels(vectors, np.array([0, 1, 0, 0]), neighbours=3, least=0.9)[:2]
    assert {first.index, second.index} == {0, 1}
    assert first.strength > 1 - 1e-5


def test_too_few_images_are_no_fault() -> None:
    assert suspect_labels(np.ones((1, 4), np.float32), np.array([0])) == []
    assert suspect_labels(np.ones((0, 4), np.float32), np.zeros(0, np.int64)) == []


class Levels:
    """Three plain images, of which the second cannot be read."""

    names = ("a", "b", "c")
    labels = np.array([0, 1, 2])

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        if index == 1:
            raise BadImageError("b", "broken")
        return np.full((9, 9, 3), 100 * index, np.uint8)


def test_features_are_what_the_head_reads() -> None:
    config = ViTConfig(image_size=(8, 8), patch=4, width=12, depth=1, heads=2, num_classes=3)
    torch.manual_seed(0)
    model = create_model(config)
    model.passport = Passport(
        architecture=config,
        preprocessing=Preprocessing(size=(8, 8)),
        class_names=("a", "b", "c"),
        origin={},
    )
    seen = features(model, Levels(), choose_engine("cpu", "float32"))
    assert seen.index.tolist() == [0, 2]
    level = torch.full((1, 3, 8, 8), 200 / 127.5 - 1)
    expected = model.eval().embed(level)[0].detach().numpy()
    np.testing.assert_allclose(seen.logits[1], expected, atol=1e-5)


def test_planted_mistakes_among_several_labels() -> None:
    """Class 3 is on every image of the first two clusters; one lacks it, one has it wrongly."""
    vectors, cluster = clusters()
    labels = np.eye(4, dtype=np.uint8)[cluster]
    labels[cluster < 2, 3] = 1
    lacking, wrong = np.flatnonzero(cluster == 0)[5], np.flatnonzero(cluster == 2)[7]
    labels[lacking, 3], labels[wrong, 3] = 0, 1
    found = {suspect.index: suspect for suspect in suspect_labels(vectors, labels)}
    assert set(found) == {lacking, wrong}
    names = ("a", "b", "c", "stripes")
    assert found[lacking].words(names) == ("not stripes", "stripes")
    assert found[wrong].words(names) == ("stripes", "not stripes")
    assert labels[found[lacking].neighbour, 3] == 1
    assert labels[found[wrong].neighbour, 3] == 0
    assert all(0.5 <= suspect.strength <= 1 for suspect in found.values())


def test_words_of_one_label() -> None:
    vectors, labels = clusters()
    labels[4] = 0
    (suspect,) = suspect_labels(vectors, labels)
    assert suspect.words(("a", "b", "c")) == ("a", "b")
