"""Train a classifier, or pretrain one without labels.

  vitreous train digits --out runs/digits
  vitreous train photos/ --out runs/photos --epochs 40 --optimizer.learning_rate 5e-4
  vitreous train photos/ --weights model.safetensors --recipe finetune --out runs/tuned
  vitreous train photos/ --objective masked_patch --out runs/pretrained
  vitreous train photos/ --objective distillation --objective.teacher runs/large --out runs/small
  vitreous train photos/ --out runs/photos --resume
  torchrun --nproc-per-node 2 -m vitreous train photos/ --out runs/photos

DATA is `digits`, a folder of class folders (with or without train, val and test folders above
them), a .tar of one, shards as name-{000..127}.tar, Parquet or a Hugging Face data set, an .npz of
x and y, idx .gz files, a CSV or JSON-lines table, or a benchmark set as it is downloaded. The run
folder then holds the model, the report as JSON and HTML, the log and the resolved config.
"""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vitreous.cli.config_options import add_config_arguments, recipe_config, typed_fields
from vitreous.cli.output import add_json_argument, print_report, write_json
from vitreous.errors import UserError
from vitreous.train.config import TrainConfig
from vitreous.train.overrides import field_types, override

if TYPE_CHECKING:
    from vitreous.parallel.environment import Ranks
    from vitreous.train.run_folder import RunFolder


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's own options, and one for every field of the config."""
    parser.add_argument("data", metavar="DATA", help="the data set")
    parser.add_argument("--out", metavar="RUN", required=True, help="the run folder to make")
    parser.add_argument(
        "--exclude",
        metavar="LIST",
        help="leave out the images that a list names (vitreous data duplicates)",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--verify-resume",
        action="store_true",
        help="train twice, kill the second run at a random moment, resume it, and compare",
    )
    add_json_argument(parser)
    add_config_arguments(parser)


def run(arguments: Namespace) -> int:
    """Train, then print the report."""
    from vitreous.parallel.collect import ToldElsewhereError
    from vitreous.parallel.environment import LostRankError, process_group

    if arguments.verify_resume:
        return _verify(arguments)
    try:
        with process_group(arguments.device or "auto") as here:
            return _run(arguments, here)
    except ToldElsewhereError:
        return 2
    except LostRankError as error:
        print(f"vitreous: {error}", file=sys.stderr)
        return 1


def _run(arguments: Namespace, here: "Ranks") -> int:
    """The same on every rank; the first one speaks."""
    from rich.console import Console

    from vitreous.data.open import open_dataset
    from vitreous.parallel.collect import decide
    from vitreous.train.run import train
    from vitreous.train.run_folder import RunFolder
    from vitreous.train.stop import StoppedError

    labelled = arguments.objective not in ("masked_patch", "mae")
    dataset = open_dataset(arguments.data, for_training=labelled)
    folder = RunFolder(arguments.out)
    resume = arguments.resume or here.restarts > 0
    console = Console(stderr=True, quiet=not here.first)
    excluded = None
    if arguments.exclude is not None:
        from vitreous.data.exclude import exclude, read_exclusion

        listed = read_exclusion(arguments.exclude)
        dataset, excluded = exclude(dataset, listed.training, listed.address)

    def make_config() -> dict[str, Any]:
        if folder.check_free(resume=resume):
            return _begun_config(arguments, folder, excluded).to_dict()
        made = recipe_config(arguments, dataset)
        return replace(made, excluded=excluded or ()).to_dict()

    config = TrainConfig.from_dict(decide(make_config))
    try:
        report = train(config, dataset, arguments.out, console, resume=resume)
    except StoppedError as stopped:
        console.print(
            f"{stopped}: go on with the same command and --resume", highlight=False, soft_wrap=True
        )
        return 0 if stopped.signal.name == "SIGTERM" else 130
    if not here.first:
        return 0
    if report is None:
        print(f"no part to measure on; the model is in {arguments.out}/model.safetensors")
        return 0
    if not write_json(arguments.json, report):
        page = "report"
        if "classes" in report:
            print_report(report)
        else:
            page = "reconstructions"
            print(f"loss {report['loss']:.4f} on {report['num_images']:,} {report['part']} images")
        print(f"{page}: {arguments.out}/{page}.html   model: {arguments.out}/model.safetensors")
    return 0


def _verify(arguments: Namespace) -> int:
    from pathlib import Path

    from vitreous.train.verify import verify_resume

    options = [arguments.data]
    for name in ("model", "weights", "recipe", "exclude", *field_types()):
        if name != "checkpoint_seconds" and (value := getattr(arguments, name)) is not None:
            options += [f"--{name}", value]
    proof = verify_resume(options, Path(arguments.out))
    print(f"uninterrupted      {proof.uninterrupted}")
    print(f"killed and resumed {proof.resumed}")
    if not proof.kills:
        print("the run ended before it could be killed: nothing is proven")
        return 1
    print("equal, bit for bit" if proof.equal else "DIFFERENT")
    return 0 if proof.equal else 1


def _begun_config(
    arguments: Namespace, folder: "RunFolder", excluded: tuple[str, ...] | None
) -> TrainConfig:
    """The config of the run to go on with; what was typed may repeat it and not contradict it."""
    from vitreous.train.run_folder import continued

    begun = folder.read_config()
    if arguments.objective not in (None, begun.objective.kind):
        raise UserError(
            f"the run was begun with objective {begun.objective.kind} and is now asked for "
            f"{arguments.objective}: resume without that option, or choose another --out"
        )
    typed = {name: getattr(arguments, name) for name in ("data", "recipe", "weights")}
    typed["excluded"] = excluded
    asked = replace(begun, **{name: value for name, value in typed.items() if value is not None})
    return continued(begun, override(asked, typed_fields(arguments)))
