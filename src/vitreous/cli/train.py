"""Train a classifier.

  vitreous train digits --out runs/digits
  vitreous train photos/ --out runs/photos --epochs 40 --optimizer.learning_rate 5e-4
  vitreous train photos/ --weights model.safetensors --recipe finetune --out runs/tuned
  vitreous train photos/ --out runs/photos --resume
  torchrun --nproc-per-node 2 -m vitreous train photos/ --out runs/photos

DATA is `digits`, a folder of class folders (with or without train, val and test folders above
them), a .tar of one, an .npz of x and y, idx .gz files, or a CSV or JSON-lines table. The run
folder then holds the model, the report as JSON and HTML, the log and the resolved config.
"""

import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vitreous.cli.output import add_json_argument, print_report, write_json
from vitreous.errors import UserError
from vitreous.train.config import SECTIONS, TrainConfig
from vitreous.train.overrides import field_types, override

if TYPE_CHECKING:
    from vitreous.data.sample import Dataset
    from vitreous.parallel.environment import Ranks
    from vitreous.train.run_folder import RunFolder


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's own options, and one for every field of the config."""
    parser.add_argument("data", metavar="DATA", help="the data set")
    parser.add_argument("--out", metavar="RUN", required=True, help="the run folder to make")
    parser.add_argument("--model", metavar="NAME", help="a variant, such as ViT-S/16")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint or run folder to start from")
    parser.add_argument(
        "--recipe", metavar="NAME", help="scratch (default), or finetune (default with --weights)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--verify-resume",
        action="store_true",
        help="train twice, kill the second run at a random moment, resume it, and compare",
    )
    add_json_argument(parser)
    group = parser.add_argument_group("any field of the config, in place of the recipe's value")
    texts = dict(_descriptions())
    for name, kind in field_types():
        metavar = re.sub(r"typing\.|<class '(\w+)'>", r"\1", str(kind)).upper()
        metavar = "VALUE" if len(metavar) > 12 else metavar
        group.add_argument(f"--{name}", metavar=metavar, help=texts[name].replace("%", "%%"))


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

    dataset = open_dataset(arguments.data)
    folder = RunFolder(arguments.out)
    resume = arguments.resume or here.restarts > 0
    console = Console(stderr=True, quiet=not here.first)

    def make_config() -> dict[str, Any]:
        begun = folder.check_free(resume=resume)
        made = _begun_config(arguments, folder) if begun else _recipe_config(arguments, dataset)
        return made.to_dict()

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
        print_report(report)
        print(f"report: {arguments.out}/report.html   model: {arguments.out}/model.safetensors")
    return 0


def _verify(arguments: Namespace) -> int:
    from pathlib import Path

    from vitreous.train.verify import verify_resume

    options = [arguments.data]
    for name in ("model", "weights", "recipe", *(name for name, _ in field_types())):
        if name != "checkpoint_seconds" and (value := getattr(arguments, name)) is not None:
            options += [f"--{name}", value]
    proof = verify_resume(options, Path(arguments.out))
    print(f"uninterrupted      {proof.uninterrupted}\nkilled and resumed {proof.resumed}")
    if not proof.kills:
        print("the run ended before it could be killed: nothing is proven")
        return 1
    print("equal, bit for bit" if proof.equal else "DIFFERENT")
    return 0 if proof.equal else 1


def _begun_config(arguments: Namespace, folder: "RunFolder") -> TrainConfig:
    """The config of the run to go on with; what was typed may repeat it and not contradict it."""
    from vitreous.train.run_folder import continued

    begun = folder.read_config()
    typed = {name: getattr(arguments, name) for name in ("data", "recipe", "weights")}
    asked = replace(begun, **{name: value for name, value in typed.items() if value is not None})
    return continued(begun, override(asked, _typed_fields(arguments)))


def _recipe_config(arguments: Namespace, dataset: "Dataset") -> TrainConfig:
    """The recipe's config for this data and machine, with what was typed in its place."""
    import torch

    from vitreous.model.variants import variant_config
    from vitreous.train.recipes import Facts, find_recipe
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
            num_classes=dataset.num_classes,
            channels=dataset.channels,
            image_size=dataset.image_size,
            gpu=arguments.device != "cpu" and torch.cuda.is_available(),
            model=model,
            weights=arguments.weights,
            trained=trained,
        )
    )
    return override(config, _typed_fields(arguments))


def _typed_fields(arguments: Namespace) -> dict[str, str]:
    """Config fields that were given on the command line."""
    typed = ((name, getattr(arguments, name)) for name, _ in field_types())
    return {name: text for name, text in typed if text is not None}


def _descriptions() -> Iterator[tuple[str, str]]:
    """Each field's words, read off the `Attributes` of its dataclass."""
    for prefix, section in (("", TrainConfig), *SECTIONS.items()):
        _, _, attributes = (section.__doc__ or "").partition("Attributes:\n")
        text = " ".join(
            line.strip() if line.startswith(" " * 12) else "\n" + line.strip()
            for line in attributes.splitlines()
        )
        for line in filter(None, map(str.strip, text.split("\n"))):
            name, _, words = line.partition(": ")
            yield f"{prefix}.{name}".lstrip("."), words.replace("`", "")
