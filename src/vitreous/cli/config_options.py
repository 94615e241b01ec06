"""The options that decide a training run's config, for every verb that needs one."""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vitreous.errors import UserError
from vitreous.train.config import SECTIONS, TrainConfig
from vitreous.train.overrides import field_types, override

if TYPE_CHECKING:
    from vitreous.data.sample import Dataset


def add_config_arguments(parser: ArgumentParser) -> None:
    """`--model`, `--weights`, `--recipe`, and one for every field of the config."""
    parser.add_argument("--model", metavar="NAME", help="a variant, such as ViT-S/16")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint or run folder to start from")
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="scratch (default), finetune (default with --weights), or another; help lists them",
    )
    parser.add_argument(
        "--objective",
        metavar="NAME",
        help="classification (default), masked_patch or mae (no labels), or distillation",
    )
    group = parser.add_argument_group("any field of the config, in place of the recipe's value")
    texts = dict(_descriptions())
    for name, kind in field_types().items():
        metavar = re.sub(r"typing\.|<class '(\w+)'>", r"\1", str(kind)).upper()
        metavar = "VALUE" if len(metavar) > 12 else metavar
        group.add_argument(f"--{name}", metavar=metavar, help=texts[name].replace("%", "%%"))


def recipe_config(arguments: Namespace, dataset: "Dataset") -> TrainConfig:
    """The recipe's config for this data and machine, with what was typed in its place."""
    import torch

    from vitreous.model.variants import variant_config
    from vitreous.train.objectives import with_objective
    from vitreous.train.recipes.catalogue import find_recipe
    from vitreous.train.recipes.facts import Facts
    from vitreous.weights.load import read_passport

    trained = model = None
    if arguments.weights is not None:
        if arguments.model is not None:
            raise UserError("--weights brings its own architecture: leave --model out")
        passport = read_passport(arguments.weights)
        trained = (passport.architecture, passport.preprocessing)
    if arguments.model is not None:
        model = variant_config(
            arguments.model, num_classes=dataset.num_classes, channels=dataset.channels
        )
    train = dataset.parts.get("train")
    recipe = find_recipe(arguments.recipe or ("finetune" if arguments.weights else "scratch"))
    config = recipe(
        Facts(
            data=arguments.data,
            num_images=0 if train is None else len(train.labels),
            unsplit="validation" not in dataset.parts,
            num_classes=dataset.num_classes,
            channels=dataset.channels,
            image_size=dataset.image_size,
            gpu=arguments.device != "cpu" and torch.cuda.is_available(),
            model=model,
            weights=arguments.weights,
            trained=trained,
        )
    )
    if config.weights != arguments.weights:
        raise UserError(
            f"--recipe {config.recipe} starts from random weights: leave it out, or --weights"
        )
    if arguments.objective is not None:
        config = with_objective(config, arguments.objective)
    return override(config, typed_fields(arguments))


def typed_fields(arguments: Namespace) -> dict[str, str]:
    """Config fields that were given on the command line."""
    typed = ((name, getattr(arguments, name)) for name in field_types())
    return {name: text for name, text in typed if text is not None}


def _descriptions() -> Iterator[tuple[str, str]]:
    """Each field's words, read off the `Attributes` of its dataclass."""
    sections = [(name, section) for name, types in SECTIONS.items() for section in types]
    # The first type last: its words stand where another has a field of the same name.
    for prefix, section in (("", TrainConfig), *reversed(sections)):
        _, _, attributes = (section.__doc__ or "").partition("Attributes:\n")
        text = " ".join(
            line.strip() if line.startswith(" " * 12) else "\n" + line.strip()
            for line in attributes.splitlines()
        )
        for line in filter(None, map(str.strip, text.split("\n"))):
            name, _, words = line.partition(": ")
            yield f"{prefix}.{name}".lstrip("."), words.replace("`", "")
