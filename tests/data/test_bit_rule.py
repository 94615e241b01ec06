import pytest

from vitreous.data.bit_rule import bit_rule


@pytest.mark.parametrize(
    ("image_size", "num_images", "expected"),
    [
        ((32, 32), 50_000, (160, 128, 0.1)),  # CIFAR
        ((32, 32), 1_000, (160, 128, 0.0)),  # VTAB's thousand
        ((300, 400), 2_040, (512, 480, 0.0)),  # Flowers
        ((300, 400), 1_281_167, (512, 480, 0.1)),  # ImageNet
        ((95, 97), 19_999, (160, 128, 0.0)),
        ((96, 96), 20_000, (512, 480, 0.1)),
    ],
)
def test_sizes_and_mixup(
    image_size: tuple[int, int], num_images: int, expected: tuple[int, int, float]
) -> None:
    assert bit_rule(image_size, num_images) == expected


def test_the_window_gives_the_sizes_back() -> None:
    for size in ((32, 32), (300, 300)):
        rule = bit_rule(size, 1)
        assert round(rule.crop * rule.window) == rule.resize
