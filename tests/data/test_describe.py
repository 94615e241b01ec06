from vitreous.data.augmentation import Augmentation
from vitreous.data.describe import describe_test, describe_training
from vitreous.data.preprocessing import Preprocessing

RULE = Preprocessing(size=(224, 224), crop_fraction=0.875)
IMAGENET = Preprocessing(
    size=(384, 384), fit="squash", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)


def test_the_test_rule_is_one_line() -> None:
    assert describe_test(RULE) == (
        "resize the shorter side to 256, crop the centre 224 x 224 (bicubic, antialiased); "
        "less 0.5, over 0.5 (of 0 to 1)"
    )
    assert describe_test(IMAGENET) == (
        "resize to 384 x 384 (bicubic, antialiased); "
        "less 0.485 0.456 0.406, over 0.229 0.224 0.225 (of 0 to 1)"
    )


def test_every_step_is_one_line_in_its_order() -> None:
    everything = Augmentation(
        crop_area=(0.08, 1.0),
        flip=0.5,
        rotate=10,
        scale=0.1,
        translate=0.2,
        brightness=0.3,
        saturation=0.4,
        hue=0.1,
        policy="randaugment",
        operations=2,
        magnitude=9,
        erase=0.25,
        mixup=0.8,
        cutmix=1.0,
        mix_probability=0.5,
        repeats=3,
    )
    assert describe_training(RULE, everything) == [
        "each image 3 times in a row, drawn anew",
        "random crop of 8 to 100 % of the area, width / height 0.75 to 1.33, to 224 x 224 "
        "(bicubic, antialiased)",
        "mirror, 50 %",
        "RandAugment: 2 operations of 14, magnitude 9",
        "brightness ±30 %, saturation ±40 %, hue ±10 %",
        "less 0.5, over 0.5 (of 0 to 1)",
        "rotate ±10°, scale ±10 %, shift ±20 %",
        "erase 2 to 33.3 % of the area, 25 %",
        "mixup (alpha 0.8) or cutmix (alpha 1), 50 % of the batches",
    ]


def test_nothing_asked_is_the_test_rule() -> None:
    assert "; ".join(describe_training(RULE, Augmentation())) == describe_test(RULE)


def test_bits_window() -> None:
    first, *_ = describe_training(RULE, Augmentation(window=1.25))
    assert first == "resize to 280 x 280 (bicubic, antialiased), random window of 224 x 224"
