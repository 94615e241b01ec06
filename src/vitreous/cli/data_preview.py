"""Show what a model will see of a data set: a page of originals, augmented versions and test crops.

  vitreous data preview photos/ --out page.html
  vitreous data preview photos/ --out page.html --augmentation.policy randaugment
  vitreous data preview photos/ --out page.html --weights model.safetensors --seed 3

The options are those of `vitreous train`: the page shows what the same line would train on.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from vitreous.cli.config_options import add_config_arguments, recipe_config
from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.errors import UserError


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("data", metavar="DATA", help="the data set")
    parser.add_argument("--out", metavar="FILE", required=True, help="the page, an .html file")
    parser.add_argument(
        "--images", metavar="INT", type=int, default=8, help="how many are shown; 8 if not given"
    )
    add_data_arguments(parser)
    add_config_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the page and print the transforms."""
    from vitreous.data.describe import describe_test, describe_training
    from vitreous.data.loader import check_channels
    from vitreous.data.open import open_dataset
    from vitreous.data.reading_lines import reading_lines
    from vitreous.report.preview import write_preview

    page = Path(arguments.out)
    if page.exists():
        raise UserError(f"--out {page} exists: choose another")
    if not 1 <= arguments.images <= 200:
        raise UserError(f"--images is {arguments.images}: give 1 to 200")
    dataset = open_dataset(arguments.data, data_options(arguments))
    if "train" not in dataset.parts:
        raise UserError(f"{arguments.data} has no train part: it has {', '.join(dataset.parts)}")
    config = recipe_config(arguments, dataset)
    check_channels(dataset.channels, config.preprocessing)
    tested = config.preprocessing
    trained = replace(tested, size=config.model.image_size)
    write_preview(
        page,
        dataset,
        tested,
        trained,
        config.augmentation,
        seed=config.seed,
        images=arguments.images,
    )
    print("\n".join(reading_lines(dataset)), end="\n\n")
    print("training:")
    for line in describe_training(trained, config.augmentation):
        print(f"  {line}")
    print(f"testing:\n  {describe_test(tested)}\nthe page is {page}")
    return 0
