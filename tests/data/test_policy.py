"""What a policy draws, and what becomes of images by it."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageOps

from vitreous.data.augmentation import Augmentation
from vitreous.data.draws import Draws
from vitreous.data.operations import RAND, WIDE, Ranges, operations
from vitreous.data.policy import Chosen, apply_policy, draw_policy

# As many pixels as go through operations together, and more.
SIDES = [(48, 64), (96, 64)]
DRAWN = np.random.default_rng(0).integers(0, 256, (3, 96, 64)).astype(np.uint8)


def applied(asked: Augmentation, draws: Draws, image: np.ndarray = DRAWN) -> np.ndarray:
    images = np.stack([image] * len(draws))
    apply_policy(images, asked.policy, draw_policy(asked, draws))
    return images


@pytest.mark.parametrize("kind", ["randaugment", "trivialaugment", "threeaugment"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIDES)
def test_the_draws_decide_everything(kind: str, channels: int, size: tuple[int, int]) -> None:
    asked, image = Augmentation(policy=kind), DRAWN[:channels, : size[0]]
    results = applied(asked, Draws(0, np.array([1, 1, 2, 3, 4])), image)
    assert np.array_equal(results[0], results[1])
    assert not all(np.array_equal(result, results[0]) for result in results)
    alone = applied(asked, Draws(0, np.array([3])), image)
    assert np.array_equal(alone[0], results[3]), "whoever is beside it"


def test_off_is_off() -> None:
    (same,) = applied(Augmentation(), Draws(0))
    assert np.array_equal(same, DRAWN)


def test_randaugment_draws_operations_evenly_at_one_magnitude() -> None:
    asked = Augmentation(policy="randaugment", operations=3, magnitude=5)
    chosen = draw_policy(asked, Draws(0, np.arange(500)))
    counts = np.bincount(chosen.kinds.ravel())
    assert counts.sum() == 1500
    assert len(counts) == 14
    assert counts.min() > 70
    assert (abs(chosen.strengths) == 0.5).all()
    assert (chosen.strengths > 0).sum() == pytest.approx(750, abs=80)


def test_trivialaugment_draws_one_operation_at_any_strength() -> None:
    asked = Augmentation(policy="trivialaugment")
    chosen = draw_policy(asked, Draws(0, np.arange(600)))
    assert chosen.kinds.shape == chosen.strengths.shape == (600, 1)
    assert set(chosen.kinds[:, 0].tolist()) == set(range(14))
    assert set(np.rint(abs(chosen.strengths) * 30).ravel().tolist()) == set(range(31))


@pytest.mark.parametrize(
    ("kind", "ranges"), [("randaugment", RAND), ("trivialaugment", WIDE)], ids=["rand", "trivial"]
)
@pytest.mark.parametrize("size", SIDES)
def test_operations_are_the_policys_own_and_follow_one_another(
    kind: str, ranges: Ranges, size: tuple[int, int]
) -> None:
    image = DRAWN[:, : size[0]]
    own = list(operations(ranges).values())
    kinds = np.array([[3, 8], [8, 3], [1, 0]])  # rotate, brightness; autocontrast, identity
    strengths = np.array([[0.5, -0.7], [-0.7, 0.5], [0.1, 0.1]])
    images = np.stack([image] * 3)
    apply_policy(images, kind, Chosen(kinds, strengths))
    for row, result in enumerate(images):
        expected = Image.fromarray(image.transpose(1, 2, 0))
        for number, strength in zip(kinds[row], strengths[row].tolist(), strict=True):
            expected = own[number](expected, strength)
        assert np.array_equal(result.transpose(1, 2, 0), np.asarray(expected))
    assert not np.array_equal(images[0], images[1])


def test_threeaugment_is_grey_inverted_highlights_or_blur() -> None:
    pixels = DRAWN.transpose(1, 2, 0)
    photo = Image.fromarray(pixels)
    grey = np.asarray(photo.convert("L").convert("RGB"))
    solarized = np.asarray(ImageOps.solarize(photo, 128))
    kinds = Counter()
    for out in applied(Augmentation(policy="threeaugment"), Draws(0, np.arange(300))):
        if np.array_equal(out.transpose(1, 2, 0), grey):
            kinds["grey"] += 1
        elif np.array_equal(out.transpose(1, 2, 0), solarized):
            kinds["solarized"] += 1
        else:
            kinds["blurred"] += 1
            assert np.abs(out.mean((1, 2)) - pixels.mean((0, 1))).max() < 3
    assert min(kinds.values()) > 70
