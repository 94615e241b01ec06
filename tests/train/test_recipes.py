import re

import pytest

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.variants import variant_config
from vitreous.train.recipes import RECIPES, Facts, find_recipe


def facts(**changes):
    values = {"data": "photos", "num_images": 3000, "num_classes": 5, "channels": 3}
    return Facts(**(values | changes))


def tuned(name, num_images=3000, **overrides):
    trained = variant_config(name, **overrides)
    rule = Preprocessing(size=trained.image_size)
    return find_recipe("finetune")(
        facts(num_images=num_images, weights="w", trained=(trained, rule))
    )


def test_finetune_is_the_papers_table_4():
    config = tuned("ViT-B/16", pre_logits=768)
    assert config.optimizer.name == "sgd"
    assert config.optimizer.momentum == 0.9
    assert config.optimizer.weight_decay == 0
    assert config.optimizer.clip == 1
    assert config.schedule.shape == "cosine"
    assert config.batch_size == 512
    assert config.model.image_size == config.preprocessing.size == (384, 384)
    assert config.model.num_classes == 5
    assert config.model.pre_logits is None  # both layers of the old head go


@pytest.mark.parametrize(
    ("num_images", "steps"), [(3680, 500), (50_000, 10_000), (1_281_167, 20_000)]
)
def test_finetune_takes_the_papers_steps(num_images, steps):
    assert tuned("ViT-B/16", num_images).steps == steps


@pytest.mark.parametrize(
    ("name", "changes", "side"),
    [
        ("ViT-B/16", {}, 384),
        ("ViT-H/14", {}, 378),
        ("ViT-B/16", {"image_size": (512, 512)}, 512),
        ("ViT-Ti/8", {"image_size": (64, 64)}, 104),
    ],
)
def test_finetune_looks_closer_by_the_papers_factor(name, changes, side):
    assert tuned(name, **changes).model.image_size == (side, side)


def test_finetune_follows_the_channels_of_the_data():
    trained = variant_config("ViT-B/16")
    rule = Preprocessing(size=(224, 224), mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.3))
    config = find_recipe("finetune")(facts(channels=1, weights="w", trained=(trained, rule)))
    assert config.model.channels == config.preprocessing.channels == 1
    assert config.preprocessing.mean == pytest.approx((0.4,))
    assert config.preprocessing.std == pytest.approx((0.2,))


def test_finetune_needs_weights():
    with pytest.raises(UserError, match="--weights"):
        find_recipe("finetune")(facts())


def test_unknown_recipes_name_the_nearest():
    with pytest.raises(UserError, match=r"did you mean scratch\?"):
        find_recipe("scrtch")


def test_glyphs_are_never_mirrored():
    config = find_recipe("scratch")(facts(channels=1, image_size=(28, 28)))
    assert config.augmentation.flip == 0
    assert find_recipe("scratch")(facts()).augmentation.flip == 0.5


@pytest.mark.parametrize("gpu", [False, True])
def test_scratch_takes_the_model_that_was_asked_for(gpu):
    model = variant_config("ViT-S/16", num_classes=5)
    assert find_recipe("scratch")(facts(model=model, gpu=gpu)).model == model


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_headed_by_its_command(name):
    assert re.search(r"^ *vitreous train ", RECIPES[name].__doc__, re.MULTILINE)
