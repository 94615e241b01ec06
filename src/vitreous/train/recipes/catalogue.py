"""Recipes by name."""

import difflib
from collections.abc import Iterator

from vitreous.errors import UserError
from vitreous.train.recipes.augreg import augreg
from vitreous.train.recipes.big_transfer import bit_transfer
from vitreous.train.recipes.deit3 import deit3
from vitreous.train.recipes.facts import Recipe
from vitreous.train.recipes.finetuning import finetune, finetune_512, lora
from vitreous.train.recipes.flowers import five_flowers
from vitreous.train.recipes.mae import mae_finetune
from vitreous.train.recipes.pretraining import (
    paper_imagenet,
    paper_imagenet21k,
    paper_jft,
    paper_masked_patch,
)
from vitreous.train.recipes.scratch import scratch
from vitreous.train.recipes.vtab import vtab

RECIPES: dict[str, Recipe] = {
    "scratch": scratch,
    "finetune": finetune,
    "finetune-512": finetune_512,
    "lora": lora,
    "paper-jft": paper_jft,
    "paper-imagenet21k": paper_imagenet21k,
    "paper-imagenet": paper_imagenet,
    "paper-masked-patch": paper_masked_patch,
    "vtab": vtab,
    "augreg": augreg,
    "deit3": deit3,
    "mae-finetune": mae_finetune,
    "bit-transfer": bit_transfer,
    "five-flowers": five_flowers,
}


def find_recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        UserError: No such recipe; names the nearest and all.
    """
    if name in RECIPES:
        return RECIPES[name]
    nearest = difflib.get_close_matches(name, RECIPES, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise UserError(f"unknown recipe {name!r}: {hint}there are {', '.join(RECIPES)}")


def recipe_lines() -> Iterator[tuple[str, str]]:
    """Each recipe's name, and the first line of its words."""
    for name, recipe in RECIPES.items():
        yield name, (recipe.__doc__ or "").partition("\n")[0]
