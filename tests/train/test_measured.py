"""What a dry run may promise is what was measured."""

from dataclasses import replace
from pathlib import Path

from vitreous.train.recipes.catalogue import RECIPES
from vitreous.train.recipes.facts import Facts
from vitreous.train.recipes.measured import MEASURED, expect
from vitreous.train.recipes.scratch import scratch

ROOT = Path(__file__).resolve().parents[2]
FLOWERS = Facts(data="photos", num_images=3670, num_classes=5, channels=3, unsplit=True)
DIGITS = Facts(data="digits", num_images=1437, num_classes=10, channels=1, image_size=(8, 8))


def test_the_recipes_own_runs_are_promised() -> None:
    told = str(expect(scratch(FLOWERS), 3670, 5))
    assert told.startswith("78.2 to 79.7 % of 735 validation images in 12 min on 2 CPU cores")
    told = str(expect(scratch(DIGITS), 1437, 10))
    assert told.startswith("98.6 to 99.7 % of 360 test images in 43 s on 2 CPU cores")


def test_other_data_and_other_settings_are_not() -> None:
    other = expect(scratch(replace(FLOWERS, num_images=3000, num_classes=7)), 3000, 7)
    assert other.measured is not None
    assert str(other).startswith("not measured for this run; five flowers, 3,670 images: 78.2 to")
    assert other.differences[0] == "3,000 images of 7 classes"
    short = replace(scratch(FLOWERS), epochs=2.0)
    assert expect(short, 3670, 5).differences == ("epochs 2 in place of 65",)
    assert str(expect(short, 3670, 5)).endswith("here epochs 2 in place of 65")
    wide = replace(scratch(FLOWERS), model=replace(scratch(FLOWERS).model, width=256))
    assert expect(wide, 3670, 5).differences == ("width 256 in place of 128",)


def test_a_gpus_model_is_another() -> None:
    differences = expect(scratch(replace(FLOWERS, gpu=True)), 3670, 5).differences
    assert "model ViT-photo-128 in place of ViT-photo" in differences


def test_recipes_that_were_never_measured() -> None:
    config = replace(scratch(FLOWERS), recipe="deit3")
    assert str(expect(config, 3670, 5)) == "not known: none was measured of this recipe"
    assert expect(config, 3670, 5).to_dict() == {"measured": None, "differences": ()}


def test_every_figure_stands_in_its_source() -> None:
    for one in MEASURED:
        assert one.recipe in RECIPES
        text = (ROOT / one.source).read_text(encoding="utf-8")
        for share in (one.lowest, one.highest):
            assert f"{100 * share:.1f} %" in text, one.data
        for commit in one.commits:
            assert commit in text
        assert one.measured_on.split()[0] in text
