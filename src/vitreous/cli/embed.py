"""Write features of a data set to a Parquet file, with labels and names.

  vitreous embed runs/photos photos/ --out features.parquet
  vitreous embed B_16.npz photos.tar --out features.parquet --pool mean --layer -2

MODEL is a run folder or a checkpoint of any known family; its classes need not be the data's. Each
row is one image: features, label, label_name, name, part. An image that cannot be read is left out,
named and counted.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.cli.inference_options import add_inference_arguments
from vitreous.cli.output import add_json_argument, write_json
from vitreous.errors import UserError


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("model", metavar="MODEL", help="run folder or checkpoint")
    parser.add_argument("data", metavar="DATA", help="the data set")
    parser.add_argument("--out", metavar="FILE", required=True, help="the .parquet file to write")
    parser.add_argument("--part", metavar="PART", help="train, validation or test, else all")
    parser.add_argument(
        "--pool",
        metavar="NAME",
        default="head",
        help="head: what the head reads (default); token: the class token; mean: of the patches",
    )
    parser.add_argument(
        "--layer", metavar="INT", type=int, help="block whose token or mean to take; last: -1"
    )
    add_inference_arguments(parser, batch_size=64)
    add_data_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Load, run the model over the data, write."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from vitreous.cli.terminal import console_on_stderr
    from vitreous.data.open import open_dataset
    from vitreous.evaluate.embed import Features, embed_dataset
    from vitreous.parallel.device import choose_engine
    from vitreous.weights.load import load

    if arguments.batch_size < 1:
        raise UserError(f"--batch_size is {arguments.batch_size}: give at least 1")
    if arguments.pool not in ("head", "token", "mean"):
        raise UserError(f"--pool is {arguments.pool}: choose head, token or mean")
    if arguments.pool == "head" and arguments.layer is not None:
        raise UserError("--layer goes with --pool token or mean: the head reads the last one")
    file = Path(arguments.out)
    if file.suffix != ".parquet":
        raise UserError(f"--out {file} would be a Parquet file: name it .parquet")
    features = Features(pool=arguments.pool, layer=_or_last(arguments.layer))
    engine = choose_engine(arguments.device, arguments.precision)
    dataset = open_dataset(arguments.data, data_options(arguments), for_training=False)
    model = load(arguments.model)
    parts = [arguments.part] if arguments.part else list(dataset.parts)
    total = sum(len(dataset.parts[part].labels) for part in parts if part in dataset.parts)
    columns = ("images", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = console_on_stderr()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("images", total=total)
        embedding = embed_dataset(
            model,
            dataset,
            file,
            engine,
            parts=parts,
            features=features,
            batch_size=arguments.batch_size,
            bad_limit=arguments.bad_limit,
            advance=lambda images: bar.advance(task, images),
        )
    results = {
        "file": str(embedding.file),
        "images": embedding.images,
        "width": embedding.width,
        "skipped": [{"name": n, "error": reason} for n, reason in embedding.skipped.items()],
    }
    if not write_json(arguments.json, results):
        counts = ", ".join(f"{count:,} {part}" for part, count in embedding.images.items())
        print(f"{embedding.width} features of {counts} images in {embedding.file}")
    for name, reason in embedding.skipped.items():
        print(f"vitreous: cannot read {name}: {reason}", file=sys.stderr)
    return 0


def _or_last(layer: int | None) -> int:
    return -1 if layer is None else layer
