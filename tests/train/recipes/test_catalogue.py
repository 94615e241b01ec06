import re

import pytest

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.variants import variant_config
from vitreous.train.config import TrainConfig
from vitreous.train.recipes.catalogue import RECIPES, find_recipe, recipe_lines
from vitreous.train.recipes.facts import Facts
from vitreous.train.schedule import learning_rate_factor


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


@pytest.mark.parametrize("depth", [0.0, 0.1])
@pytest.mark.parametrize("size", [None, (32, 32)])
@pytest.mark.parametrize("gpu", [False, True])
def test_scratch_takes_the_model_that_was_asked_for(gpu, size, depth):
    model = variant_config("ViT-S/16", num_classes=5, stochastic_depth=depth)
    assert find_recipe("scratch")(facts(model=model, gpu=gpu, image_size=size)).model == model


@pytest.mark.parametrize(("side", "patch"), [(32, 4), (28, 4), (64, 8)])
def test_small_photos_on_a_gpu_are_eight_by_eight_patches(side, patch):
    config = find_recipe("scratch")(facts(gpu=True, image_size=(side, side), num_images=50_000))
    assert config.model.patch == patch
    assert config.model.grid == (8, 8)
    assert config.epochs == 200
    assert config.parallel.compile


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_headed_by_its_command(name):
    assert re.search(r"^ *vitreous train ", RECIPES[name].__doc__, re.MULTILINE)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_tells_its_time_and_its_score(name):
    words = RECIPES[name].__doc__
    assert re.search(r"^ *Time: ", words, re.MULTILINE)
    assert re.search(r"^ *Score: (?s:.*)([Mm]easured|published)", words, re.MULTILINE)


def made(name, num_images=1_281_167, **changes):
    recipe = find_recipe(name)
    model = changes.pop("model", None)
    if model is not None:
        changes["model"] = variant_config(model, num_classes=5)
    return recipe(facts(num_images=num_images, **changes))


FROM_WEIGHTS = ["vtab", "finetune", "finetune-512", "lora", "mae-finetune", "bit-transfer"]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_a_config_that_names_it_and_comes_back(name):
    changes = {}
    if name in FROM_WEIGHTS:
        trained = variant_config("BiT-R50x1" if name == "bit-transfer" else "ViT-B/16")
        changes = {"weights": "w", "trained": (trained, Preprocessing(size=(224, 224)))}
    config = made(name, **changes).with_length(1_281_167)
    assert config.recipe == name
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert dict(recipe_lines())[name].endswith((".", ")"))


@pytest.mark.parametrize("name", FROM_WEIGHTS)
def test_what_starts_from_weights_says_so(name):
    with pytest.raises(UserError, match=f"{name} starts from weights"):
        made(name)


@pytest.mark.parametrize(
    ("model", "epochs", "rate"),
    [
        ("ViT-B/32", 7, 8e-4),
        ("ViT-L/32", 7, 6e-4),
        ("ViT-L/16", 14, 4e-4),
        ("ViT-H/14", 14, 3e-4),
        ("R50+ViT-B/16", 7, 8e-4),
        ("R50+ViT-L/32", 7, 2e-4),
        ("BiT-R50x2", 7, 1e-3),
        ("BiT-R101x1", 7, 8e-4),
        ("BiT-R152x2", 7, 6e-4),
    ],
)
def test_jft_is_the_papers_table_3(model, epochs, rate):
    config = made("paper-jft", 303_000_000, model=model)
    assert (config.epochs, config.optimizer.learning_rate) == (epochs, rate)
    assert config.optimizer.weight_decay == 0.1
    assert config.optimizer.betas == (0.9, 0.999)
    assert (config.batch_size, config.schedule.shape) == (4096, "linear")
    steps = config.with_length(303_000_000).steps
    assert config.schedule.warmup * steps == pytest.approx(10_000, rel=1e-3)
    end = learning_rate_factor(config.schedule, steps, steps) * rate
    assert end == pytest.approx(1e-5)


def test_imagenet_rows_of_table_3():
    large, small = made("paper-imagenet21k", 12_400_000), made("paper-imagenet")
    assert (large.epochs, large.optimizer.weight_decay, large.model.dropout) == (90, 0.03, 0.1)
    assert (small.epochs, small.optimizer.weight_decay, small.model.dropout) == (300, 0.3, 0.1)
    assert (small.optimizer.learning_rate, small.optimizer.clip) == (3e-3, 1.0)
    assert (small.schedule.shape, large.schedule.shape) == ("cosine", "linear")
    assert small.label_smoothing / 2 == 1e-4  # of a yes becomes a no (issue 89)
    assert small.model.pre_logits == 768
    assert small.with_length(1_281_167).steps == pytest.approx(93_800, rel=1e-3)


def test_masked_patches_are_the_papers_appendix():
    config = made("paper-masked-patch", 303_000_000)
    assert config.objective.kind == "masked_patch"
    objective = config.objective
    assert (objective.share, objective.masked, objective.swapped) == (0.5, 0.8, 0.1)
    assert objective.target == "colour"
    assert config.model.num_classes == 0
    assert (config.steps, config.batch_size) == (1_000_000, 4096)
    assert config.optimizer.learning_rate == 2e-4
    assert config.schedule.warmup * config.steps == 10_000
    assert learning_rate_factor(config.schedule, config.steps, config.steps) == 0


@pytest.mark.parametrize(
    "model",
    ["ViT-S/16", "ViT-B/8", "BiT-R50x3", "BiT-R101x3", "BiT-R152x4", "BiT-R200x3"],
)
def test_a_model_that_table_3_lacks_is_named(model):
    with pytest.raises(UserError, match=f"no JFT row for {re.escape(model)}"):
        made("paper-jft", model=model)


PAPERS = ["paper-jft", "paper-imagenet21k", "paper-imagenet", "paper-masked-patch", "augreg"]


@pytest.mark.parametrize(
    ("num_images", "share"), [(3680, 0.1), (50_000, 0.02), (1_281_167, 0.01), (14_200_000, 0.01)]
)
@pytest.mark.parametrize("name", [*PAPERS, "finetune", "finetune-512"])
def test_the_paper_holds_out_by_the_size_of_the_set(name, num_images, share):
    changes = {}
    if name.startswith("finetune"):
        trained = variant_config("ViT-B/16")
        changes = {"weights": "w", "trained": (trained, Preprocessing(size=(224, 224)))}
    assert made(name, num_images, **changes).validation_fraction == share


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("unsplit", [False, True])
def test_warm_up_is_of_the_images_that_are_trained_on(name, unsplit):
    config = made(name, unsplit=unsplit)
    trained = round(1_281_167 * 0.99) if unsplit else 1_281_167
    steps = config.with_length(trained).steps
    expected = min(10_000, steps / 4)
    assert config.schedule.warmup * steps == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(("model", "side"), [("ViT-L/16", 512), ("ViT-H/14", 518)])
def test_the_imagenet_row_of_table_2(model, side):
    trained = (variant_config(model), Preprocessing(size=(224, 224)))
    config = made("finetune-512", weights="w", trained=trained)
    assert config.model.image_size == config.preprocessing.size == (side, side)
    assert (config.average, config.steps) == (0.9999, 20_000)


@pytest.mark.parametrize(
    ("images", "size", "steps", "warmup", "mixup", "crop"),
    [
        (3680, None, 500, 100, 0.0, 480),
        (50_000, (32, 32), 10_000, 500, 0.1, 128),
        (1_281_167, None, 20_000, 500, 0.1, 480),
    ],
)
def test_bit_hyperrule(images, size, steps, warmup, mixup, crop):
    trained = (variant_config("BiT-R50x1"), Preprocessing(size=(224, 224)))
    config = made("bit-transfer", images, image_size=size, weights="w", trained=trained)
    assert (config.steps, config.augmentation.mixup) == (steps, mixup)
    assert round(config.schedule.warmup * steps) == warmup
    assert config.preprocessing.size == (crop, crop)
    rates = [learning_rate_factor(config.schedule, step, steps) for step in range(steps)]
    assert max(rates) == 1
    assert rates[-1] == pytest.approx(1e-3)
    assert rates[round(config.schedule.drops[0] * steps)] == pytest.approx(0.1)


def test_five_flowers_fall_to_a_hundredth():
    config = made("five-flowers", 2936).with_length(2936)
    rate = config.optimizer.learning_rate
    assert (config.epochs, config.batch_size, rate) == (200, 256, 1e-3)
    assert learning_rate_factor(config.schedule, 0, config.steps) == 1
    end = learning_rate_factor(config.schedule, config.steps, config.steps)
    assert rate * end == pytest.approx(1e-5)


def test_five_flowers_is_the_public_script():
    trained = (variant_config("ViT-B/16", pre_logits=768), Preprocessing(size=(224, 224)))
    config = made("five-flowers", 2936, weights="w", trained=trained)
    optimizer = config.optimizer
    assert (optimizer.name, optimizer.momentum, optimizer.weight_decay) == ("sgd", 0.9, 5e-5)
    assert optimizer.clip == 0
    assert config.tuning.train == "head"
    assert (config.augmentation.crop_area, config.augmentation.flip) == ((0.08, 1.0), 0.5)
    rule = config.preprocessing
    assert (rule.fit, rule.size, rule.crop_fraction) == ("crop", (224, 224), 224 / 256)
    assert rule.mean == rule.std == (0.5, 0.5, 0.5)
    scratch = made("five-flowers", 2936, model="ViT-B/16")
    assert scratch.tuning.train == "all"
    assert scratch.preprocessing == rule
    larger = (variant_config("ViT-B/16", image_size=(384, 384)), Preprocessing(size=(384, 384)))
    config = made("five-flowers", 2936, weights="w", trained=larger)
    assert config.model.image_size == config.preprocessing.size == (224, 224)


def test_mae_decays_by_layer_and_deit3_scales_its_branches():
    trained = (variant_config("ViT-L/16"), Preprocessing(size=(224, 224)))
    config = made("mae-finetune", weights="w", trained=trained)
    assert (config.optimizer.layer_decay, config.optimizer.learning_rate) == (0.75, 4e-3)
    assert config.model.pooling == "mean"
    deit = made("deit3", model="ViT-B/16")
    assert (deit.model.layer_scale, deit.model.stochastic_depth) == (1e-4, 0.2)
    assert deit.model.image_size == (192, 192)
    assert (deit.augmentation.policy, deit.loss) == ("threeaugment", "sigmoid")
