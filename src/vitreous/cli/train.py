"""Train a classifier, or pretrain one without labels.

  vitreous train digits --out runs/digits
  vitreous train photos/ --out runs/photos --epochs 40 --optimizer.learning_rate 5e-4
  vitreous train photos/ --weights model.safetensors --recipe finetune --out runs/tuned
  vitreous train photos/ --objective masked_patch --out runs/pretrained
  vitreous train photos/ --objective distillation --objective.teacher runs/large --out runs/small
  vitreous train photos/ --out runs/photos --resume
  vitreous train photos/ --recipe deit3 --dry-run
  vitreous train photos/ --weights B_16.npz --sweep learning_rate=0.003,0.01,0.03 --out runs/swept
  vitreous train --list-recipes
  torchrun --nproc-per-node 2 -m vitreous train photos/ --out runs/photos

DATA is `digits`, a folder of class folders (with or without train, val and test folders above
them), a .tar of one, shards as name-{000..127}.tar, Parquet or a Hugging Face data set, an .npz of
x and y, idx .gz files, a CSV or JSON-lines table, or a benchmark set as it is downloaded. The run
folder then holds the model, the report as JSON and HTML, the log and the resolved config.
"""

import sys
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vitreous.cli.config_options import add_config_arguments, recipe_config, typed_fields
from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.cli.main import INTERRUPTED, TERMINATED
from vitreous.cli.output import add_json_argument, print_report, write_json
from vitreous.data.reading import option
from vitreous.errors import UserError
from vitreous.train.config import TrainConfig
from vitreous.train.overrides import field_types, override

if TYPE_CHECKING:
    from rich.console import Console

    from vitreous.data.sample import Dataset
    from vitreous.parallel.environment import Ranks
    from vitreous.train.run_folder import RunFolder


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's own options, and one for every field of the config."""
    parser.add_argument("data", metavar="DATA", nargs="?", help="the data set")
    parser.add_argument("--out", metavar="RUN", help="the run folder to make")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and the time it would take, by ten steps; write nothing",
    )
    parser.add_argument(
        "--sweep",
        metavar="FIELD=VALUES",
        action="append",
        help="run with each of some values, such as learning_rate=0.003,0.01,0.03, and keep what "
        "validates best; may be given again for another field",
    )
    parser.add_argument("--list-recipes", action="store_true", help="list the recipes")
    parser.add_argument(
        "--exclude",
        metavar="LIST",
        help="leave out the images that a list names (vitreous data duplicates)",
    )
    parser.add_argument(
        "--on-sigterm",
        metavar="CODE",
        type=int,
        choices=range(256),
        default=TERMINATED,
        help="exit code after SIGTERM, once the state is saved: 143, which `&&` stops at, or 0 for "
        "schedulers that take anything else for a failure",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--verify-resume",
        action="store_true",
        help="train twice, kill the second run at a random moment, resume it, and compare",
    )
    add_json_argument(parser)
    add_data_arguments(parser)
    add_config_arguments(parser)


def run(arguments: Namespace) -> int:
    """Train, then print the report."""
    from vitreous.parallel.collect import ToldElsewhereError
    from vitreous.parallel.environment import LostRankError, process_group

    if arguments.list_recipes or arguments.recipe == "help":
        return _list_recipes()
    if arguments.data is None:
        raise UserError("train on what: give DATA, such as digits or a folder of class folders")
    if arguments.out is None and not arguments.dry_run:
        raise UserError("where to: give --out RUN, the run folder to make")
    if arguments.sweep and arguments.dry_run:
        raise UserError("--dry-run shows one run and --sweep makes several: leave one of them out")
    for other in ("sweep", "dry_run", "resume"):
        if arguments.verify_resume and getattr(arguments, other):
            raise UserError(
                f"--verify-resume makes runs of its own: leave --{other.replace('_', '-')} out"
            )
    if arguments.verify_resume:
        return _verify(arguments)
    try:
        with process_group(_asked_device(arguments)) as here:
            if here.size > 1 and (arguments.sweep or arguments.dry_run):
                raise UserError("--sweep and --dry-run are for one process: leave torchrun out")
            return _run(arguments, here)
    except ToldElsewhereError:
        return 2
    except LostRankError as error:
        print(f"vitreous: {error}", file=sys.stderr)
        return 1


def _asked_device(arguments: Namespace) -> str:
    """What was typed; or else what the run that is gone on with was begun on."""
    from vitreous.parallel.environment import ranks
    from vitreous.train.run_folder import RunFolder

    if arguments.device is None and arguments.out and (arguments.resume or ranks().restarts):
        with suppress(UserError):  # it is told where the run is opened
            return RunFolder(arguments.out).read_config().device
    return arguments.device or "auto"


def _run(arguments: Namespace, here: "Ranks") -> int:
    """The same on every rank; the first one speaks."""
    from vitreous.cli.terminal import console_on_stderr
    from vitreous.data.open import check_labelled, open_dataset
    from vitreous.parallel.collect import decide
    from vitreous.train.run import train
    from vitreous.train.run_folder import RunFolder
    from vitreous.train.stop import StoppedError

    alone = not arguments.sweep and not arguments.dry_run
    folder = RunFolder(arguments.out or "")
    resume = arguments.resume or here.restarts > 0
    options = data_options(arguments)
    if alone and resume and not options.given and folder.is_begun:
        options = folder.read_config().reading
    dataset = open_dataset(arguments.data, options, for_training=False)
    console = console_on_stderr(quiet=not here.first)
    excluded = None
    if arguments.exclude is not None:
        from vitreous.data.exclude import exclude, read_exclusion

        listed = read_exclusion(arguments.exclude)
        dataset, excluded = exclude(dataset, listed.training, listed.address)

    def make_config() -> dict[str, Any]:
        if alone and folder.check_free(resume=resume):
            made = _begun_config(arguments, folder, excluded)
        else:
            made = replace(
                recipe_config(arguments, dataset), excluded=excluded or (), reading=options
            )
        if made.objective.supervised:
            check_labelled(dataset)
        return made.to_dict()

    config = TrainConfig.from_dict(decide(make_config))
    if arguments.dry_run:
        return _rehearse(config, dataset, console, arguments.json)
    try:
        if arguments.sweep:
            from vitreous.train.sweep import read_axes, sweep

            axes = read_axes(arguments.sweep)
            report = sweep(config, dataset, folder.path, console, axes, resume=resume)
        else:
            report = train(config, dataset, folder.path, console, resume=resume)
    except StoppedError as stopped:
        console.print(
            f"{stopped}: go on with the same command and --resume", highlight=False, soft_wrap=True
        )
        return arguments.on_sigterm if stopped.signal.name == "SIGTERM" else INTERRUPTED
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
    from dataclasses import asdict
    from pathlib import Path

    from vitreous.parallel.environment import ranks
    from vitreous.train.verify import verify_resume

    if ranks().launched:
        raise UserError("--verify-resume starts programs of its own: leave torchrun out")
    options = [arguments.data]
    for name in ("model", "weights", "recipe", "objective", "exclude", *field_types()):
        if name != "checkpoint_seconds" and (value := getattr(arguments, name)) is not None:
            options += [f"--{name}", value]
    say = partial(print, file=sys.stderr) if arguments.json else print
    for name, value in data_options(arguments).to_dict().items():
        options += [option(name), value]
    proof = verify_resume(options, Path(arguments.out), say=say)
    if not write_json(arguments.json, asdict(proof) | {"equal": proof.equal}):
        print(f"uninterrupted      {proof.uninterrupted}")
        print(f"killed and resumed {proof.resumed}")
        if not proof.kills:
            print("the run ended before it could be killed: nothing is proven")
        else:
            print("equal, bit for bit" if proof.equal else "DIFFERENT")
    return 0 if proof.kills and proof.equal else 1


def _list_recipes() -> int:
    from vitreous.train.recipes.catalogue import RECIPES, recipe_lines

    width = max(map(len, RECIPES))
    for name, words in recipe_lines():
        print(f"{name:{width}}  {words}")
    return 0


def _rehearse(
    config: TrainConfig, dataset: "Dataset", console: "Console", json_file: str | None
) -> int:
    from dataclasses import asdict

    from vitreous.cli.rehearsal_view import print_rehearsal
    from vitreous.train.rehearsal import rehearse

    plan = rehearse(config, dataset, console)
    if not write_json(json_file, asdict(plan)):
        print_rehearsal(plan)
    return 0


def _begun_config(
    arguments: Namespace, folder: "RunFolder", excluded: tuple[str, ...] | None
) -> TrainConfig:
    """The config of the run to go on with; what was typed may repeat it and not contradict it."""
    from vitreous.model.variants import variant_config
    from vitreous.train.run_folder import continued

    begun, options = folder.read_config(), typed_fields(arguments)
    model = None
    if arguments.model is not None and "model.name" not in options:
        model = variant_config(arguments.model).name
    named = {"objective": arguments.objective, "model": model}
    for name, was in (("objective", begun.objective.kind), ("model", begun.model.name)):
        if named[name] not in (None, was):
            raise UserError(
                f"the run was begun with {name} {was} and is now asked for {named[name]}: "
                "resume without that option, or choose another --out"
            )
    typed = {name: getattr(arguments, name) for name in ("data", "recipe", "weights")}
    typed["excluded"] = excluded
    typed["reading"] = data_options(arguments) if data_options(arguments).given else None
    asked = replace(begun, **{name: value for name, value in typed.items() if value is not None})
    return continued(begun, override(asked, options))
