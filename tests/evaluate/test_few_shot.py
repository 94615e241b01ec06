import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from vitreous.errors import UserError
from vitreous.evaluate.features import Labelled
from vitreous.evaluate.few_shot import all_draws, draw_shots, few_shot, ridge, signs

NAMES = ("a", "b", "c")


def labelled(count: int, seed: int = 0, noise: float = 1.0) -> Labelled:
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centres = 3 * np.eye(3, 8)[labels]
    features = (centres + noise * draw.standard_normal((count, 8))).astype(np.float32)
    return Labelled(features, labels, np.arange(count))


@given(
    st.sampled_from([(3, 40), (12, 12), (60, 8), (2, 1), (5, 4)]),
    st.sampled_from([1e-3, 1.0, 1024.0]),
    st.integers(0, 5),
)
def test_it_is_scikit_learns_ridge_in_both_forms(shape, l2, seed) -> None:
    draw = np.random.default_rng(seed)
    x = draw.standard_normal(shape) + 5
    y = signs(draw.integers(0, 3, shape[0]), 3)
    ours = ridge(x, y, l2)
    theirs = Ridge(alpha=l2).fit(x, y)
    other = draw.standard_normal((7, shape[1]))
    assert np.abs(ours(other) - theirs.predict(other)).max() < 1e-6
    assert np.abs(ours.weight.T - theirs.coef_).max() < 1e-6


def test_targets_are_1_and_minus_1() -> None:
    assert signs(np.array([2, 0]), 3).tolist() == [[-1, -1, 1], [1, -1, -1]]


def test_each_class_gives_as_many_and_fewer_are_among_more() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 90)
    few, more = (set(draw_shots(labels, NAMES, count, seed=1)) for count in (2, 7))
    assert few < more
    assert np.bincount(labels[sorted(more)]).tolist() == [7, 7, 7]
    assert set(draw_shots(labels, NAMES, 7, seed=2)) != more


def test_only_the_drawn_images_need_features() -> None:
    train, test = labelled(300), labelled(120, seed=9, noise=2.0)
    whole = few_shot(train, test, train.labels, NAMES, (1, 5), seeds=2)
    places = all_draws(train.labels, NAMES, 5, seeds=2)
    assert len(places) < 40
    assert few_shot(train.rows(places), test, train.labels, NAMES, (1, 5), seeds=2) == whole
    assert [one.shots for one in whole] == [1, 5]
    assert whole[1].mean > whole[0].mean > 0.4
    assert whole[1].spread == pytest.approx(np.std(whole[1].accuracies, ddof=1))


def test_features_that_never_change_do_no_harm() -> None:
    train, test = labelled(60), labelled(60, seed=3)
    dead = np.ones((60, 1), np.float32)
    wide = [Labelled(np.hstack([p.features, dead]), p.labels, p.index) for p in (train, test)]
    (found,) = few_shot(*wide, train.labels, NAMES, (5,), seeds=1)
    assert found.mean > 0.8
    assert found.spread == 0


def test_more_shots_than_images_are_refused() -> None:
    with pytest.raises(UserError, match="30 shots .* class c has 20 training images"):
        draw_shots(np.repeat([0, 1, 2], [40, 30, 20]), NAMES, 30, seed=0)


def test_a_class_without_images_is_told_as_such() -> None:
    with pytest.raises(UserError, match="class b has no training image"):
        draw_shots(np.array([0, 2, 2]), NAMES, 1, seed=0)


def test_one_class_is_no_choice() -> None:
    with pytest.raises(UserError, match="one class"):
        draw_shots(np.zeros(9, np.int64), ("a",), 1, seed=0)
