from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from vitreous.data.augmentation import Augmentation
from vitreous.data.crop import RandomCrop, cut
from vitreous.data.draws import Draws
from vitreous.data.preprocessing import Fit, Interpolation, Preprocessing
from vitreous.data.transform import fit_for_test, random_window, resize_crop

SIDES = st.integers(1, 90)


def photo(H: int, W: int, C: int = 3, seed: int = 0) -> np.ndarray:
    """Something between noise and a gradient, as photographs are."""
    draw = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, H)[:, None, None] * np.linspace(0.2, 1, W)[None, :, None]
    return (ramp + draw.integers(0, 56, (H, W, C))).astype(np.uint8)


def rule(
    size: tuple[int, int],
    fit: Fit = "crop",
    fraction: float = 1.0,
    interpolation: Interpolation = "bicubic",
    channels: int = 3,
) -> Preprocessing:
    half = (0.5,) * channels
    return Preprocessing(
        size=size,
        channels=channels,
        fit=fit,
        crop_fraction=fraction,
        interpolation=interpolation,
        mean=half,
        std=half,
    )


def pillow(pixels: np.ndarray, rule: Preprocessing) -> np.ndarray:
    """The rule in Pillow's words: resize the shorter side, crop the centre."""
    H, W, C = pixels.shape
    height, width = rule.size
    image = Image.fromarray(pixels[..., 0] if C == 1 else pixels)
    resample = Image.Resampling[rule.interpolation.upper()]
    if rule.fit == "squash":
        out = image.resize((width, height), resample)
    else:
        scale = max(height / H, width / W) / rule.crop_fraction
        tall, wide = max(round(H * scale), height), max(round(W * scale), width)
        top, left = (tall - height) // 2, (wide - width) // 2
        out = image.resize((wide, tall), resample).crop((left, top, left + width, top + height))
    return np.asarray(out).reshape(height, width, C).transpose(2, 0, 1)


def difference(pixels: np.ndarray, rule: Preprocessing) -> np.ndarray:
    ours = fit_for_test(pixels, rule).numpy().astype(int)
    assert ours.shape == (rule.channels, *rule.size)
    return np.abs(ours - pillow(pixels, rule))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("fit", ["crop", "squash"])
@given(H=SIDES, W=SIDES, size=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=SIDES)
@example(H=78, W=3, size=(4, 29), seed=30)
@settings(max_examples=60)
def test_the_test_rule_is_within_one_grey_level_of_pillow(
    fit: Fit, interpolation: Interpolation, H: int, W: int, size: tuple[int, int], seed: int
) -> None:
    asked = rule(size, fit, 1.0, interpolation)
    scale = max(size[0] / H, size[1] / W)
    long = fit == "crop" and round(H * scale) * round(W * scale) > 10 * size[0] * size[1]
    # Of long images only the middle is resized, from between pixels.
    assert difference(photo(H, W, seed=seed), asked).max() <= (2 if long else 1)


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"])
@pytest.mark.parametrize("fit", ["crop", "squash"])
@pytest.mark.parametrize("fraction", [1.0, 0.875])
def test_real_photographs(shared_data: Path, name: str, fit: Fit, fraction: float) -> None:
    pixels = np.array(Image.open(shared_data / "photos" / name).convert("RGB"))
    for size in ((224, 224), (64, 96), (512, 384)):
        apart = difference(pixels, rule(size, fit, fraction))
        assert apart.max() <= 1


@pytest.mark.parametrize("size", [(10, 15), (40, 60), (60, 90)])
def test_nearest_takes_a_pixel_as_it_is(size: tuple[int, int]) -> None:
    assert not difference(photo(20, 30), rule(size, "squash", 1.0, "nearest")).any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fraction", [1.0, 0.875, 0.5])
@pytest.mark.parametrize("shape", [(240, 320), (320, 240), (64, 64), (37, 1000), (900, 31)])
def test_photographs_of_any_shape(shape: tuple[int, int], fraction: float, channels: int) -> None:
    asked = rule((64, 48), fraction=fraction, channels=channels)
    assert difference(photo(*shape, channels), asked).max() <= 1


@pytest.mark.parametrize("shape", [(1, 4000), (4000, 1), (2, 3000)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest"])
def test_a_strip_is_pillows_too(shape: tuple[int, int], interpolation: Interpolation) -> None:
    assert difference(photo(*shape), rule((16, 16), interpolation=interpolation)).max() <= 1


def test_a_strip_does_not_fill_the_memory() -> None:
    """Resized whole, 1 x 6,000 pixels would be 224 x 1,344,000: nine hundred megabytes."""
    strip = photo(1, 6_000)
    before = getrusage(RUSAGE_SELF).ru_maxrss
    out = fit_for_test(strip, rule((224, 224)))
    assert out.shape == (3, 224, 224)
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_pixels_of_the_right_size_come_as_they_are() -> None:
    pixels = photo(12, 10)
    out = fit_for_test(pixels, rule((12, 10)))
    assert np.array_equal(out.numpy(), pixels.transpose(2, 0, 1))


def test_pixels_may_be_read_only_or_a_view() -> None:
    pixels = photo(30, 20)
    expected = fit_for_test(pixels, rule((8, 8)))
    locked = pixels.copy()
    locked.flags.writeable = False
    view = np.repeat(pixels, 2, axis=1)[:, ::2]
    for other in (locked, view, pixels[::-1].copy()[::-1]):
        assert fit_for_test(other, rule((8, 8))).equal(expected)


def crop_boxes(H: int, W: int, augmentation: Augmentation, count: int = 2000) -> np.ndarray:
    crops = RandomCrop.drawn(augmentation, Draws(0, np.arange(count)))
    return np.array([crop(H, W) for crop in crops])


def crop_box(
    H: int, W: int, augmentation: Augmentation, seed: int = 0
) -> tuple[int, int, int, int]:
    (crop,) = RandomCrop.drawn(augmentation, Draws(seed))
    return crop(H, W)


CROPS = Augmentation(crop_area=(0.3, 0.8), crop_ratio=(0.5, 2.0))


@given(SIDES, SIDES, st.integers(0, 1000))
def test_a_crop_lies_in_its_image(H: int, W: int, seed: int) -> None:
    top, left, height, width = crop_box(H, W, CROPS, seed)
    assert 0 <= top < top + height <= H
    assert 0 <= left < left + width <= W


@given(st.integers(60, 120), st.integers(60, 120), st.integers(0, 1000))
def test_area_and_ratio_are_in_their_ranges(H: int, W: int, seed: int) -> None:
    _, _, height, width = crop_box(H, W, CROPS, seed)
    # Sides are rounded to pixels: half of one either way.
    assert (height + 0.5) * (width + 0.5) >= 0.3 * H * W
    assert (height - 0.5) * (width - 0.5) <= 0.8 * H * W
    assert 0.5 <= (width + 0.5) / (height - 0.5)
    assert (width - 0.5) / (height + 0.5) <= 2.0


def test_crops_reach_everywhere() -> None:
    top, left, height, width = crop_boxes(40, 60, CROPS).T
    assert top.min() == left.min() == 0
    assert (top + height).max() == 40
    assert (left + width).max() == 60
    assert np.mean(top + height / 2) == pytest.approx(20, abs=0.5)
    assert np.mean(left + width / 2) == pytest.approx(30, abs=0.7)
    assert np.mean(np.log(width / height)) == pytest.approx(0, abs=0.25)


def test_area_and_ratio_are_drawn_evenly() -> None:
    asked = Augmentation(crop_area=(0.1, 0.4), crop_ratio=(0.5, 2.0))
    boxes = crop_boxes(300, 300, asked)
    areas, ratios = boxes[:, 2] * boxes[:, 3] / 300**2, np.log2(boxes[:, 3] / boxes[:, 2])
    for values, low, high in ((areas, 0.1, 0.4), (ratios, -1, 1)):
        counts, _ = np.histogram(values, 5, (low, high))
        assert counts.min() > 320


@pytest.mark.parametrize(
    ("H", "W", "box"),
    [(1, 4000, (0, 1999, 1, 2)), (4000, 1, (1999, 0, 2, 1)), (2, 400, (0, 198, 2, 4))],
)
def test_a_strip_gives_its_centre(H: int, W: int, box: tuple[int, int, int, int]) -> None:
    assert crop_box(H, W, CROPS) == box


@pytest.mark.parametrize("shape", [(1, 4000), (4000, 1), (1, 1), (500, 3), (16, 12)])
def test_training_crops_of_any_shape(shape: tuple[int, int]) -> None:
    pixels = cut(photo(*shape), crop_box(*shape, CROPS))
    assert resize_crop(pixels, (16, 12), "bicubic").shape == (3, 16, 12)


@pytest.mark.parametrize("shape", [(375, 500), (500, 375), (241, 210), (100, 90)])
def test_the_fast_resize_is_pillows_but_for_a_few_pixels(shape: tuple[int, int]) -> None:
    pixels = photo(*shape)
    ours = resize_crop(pixels, (224, 224), "bicubic").numpy().astype(int)
    apart = np.abs(ours - pillow(pixels, rule((224, 224), "squash")))
    assert apart.mean() < 0.5
    assert (apart > 1).mean() < 0.05


@pytest.mark.parametrize("shape", [(40, 60), (10, 90)])
def test_a_window_is_a_piece_of_the_whole_image(shape: tuple[int, int]) -> None:
    pixels, asked = photo(*shape), rule((16, 12))
    whole = resize_crop(pixels, (20, 15), "bicubic")
    corners = set()
    for down, right in Draws(0, np.arange(60)).random(2).tolist():
        window = random_window(pixels, asked, 1.25, (down, right))
        found = [
            (top, left)
            for top in range(5)
            for left in range(4)
            if whole[:, top : top + 16, left : left + 12].equal(window)
        ]
        corners.update(found)
        assert found
    assert len(corners) > 15, "of 20"
