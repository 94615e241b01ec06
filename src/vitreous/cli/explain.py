"""Show what a model looks at and what its layers do: a page, figures as in the paper, numbers.

  vitreous explain runs/photos --out explained/weights
  vitreous explain runs/photos rose.jpg --out explained/rose
  vitreous explain runs/photos photos/ --images 500 --out explained/photos

Without IMAGE or DATA: what can be seen in the weights (filters, position similarity). With one
image: heat-maps (attention, rollout, gradient rollout, relevance of the most probable class) and
how far to trust them, every head, every patch. With a data set: attention distance, entropy, length
and rank of tokens over many images with their spread, and the rollout of some of them; where tokens
are artifacts, the neurons that make them, and what a test-time register does about it.

DIR then holds explain.html, explain.json, a PNG and an SVG of each figure, and CSV tables.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.cli.inference_options import add_inference_arguments
from vitreous.cli.output import add_json_argument, write_json
from vitreous.errors import BadImageError, UserError

if TYPE_CHECKING:
    from torch import nn

    from vitreous.analysis.register_neurons import Remedy
    from vitreous.report.findings import Findings
    from vitreous.weights.passport import Passport

_READS = {
    "token": "the class token",
    "mean_all": "the class token and the patches",
    "token_mean": "the class token and the patches",
    "distilled": "the class and distillation tokens",
}
_REMEDIED = "remedied.safetensors"


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("model", metavar="MODEL", help="run folder or checkpoint")
    parser.add_argument(
        "data", metavar="IMAGE|DATA", nargs="?", help="an image file, or a data set"
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to write to")
    parser.add_argument(
        "--target", metavar="CLASS", help="class to explain on an image; else the most probable"
    )
    parser.add_argument("--part", metavar="PART", help="of DATA: train, validation or test")
    parser.add_argument(
        "--images", metavar="INT", type=int, default=500, help="of DATA at most, over all classes"
    )
    parser.add_argument(
        "--remedy",
        action="store_true",
        help="where tokens are artifacts, write the model with a test-time register too",
    )
    add_inference_arguments(parser, batch_size=32)
    add_data_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Load, look inside, write, and say where."""
    from vitreous.data.sources.tree import IMAGE_SUFFIXES
    from vitreous.model.vit import VisionTransformer
    from vitreous.parallel.device import choose_engine
    from vitreous.report.embedding import add_embedding
    from vitreous.weights.load import load
    from vitreous.weights.passport import passport_of

    for option in ("images", "batch_size"):
        if getattr(arguments, option) < 1:
            raise UserError(f"--{option} is {getattr(arguments, option)}: give at least 1")
    folder = Path(arguments.out)
    if (folder / "explain.html").exists() or folder.is_file():
        raise UserError(f"--out {folder} is there already: choose another")
    engine = choose_engine(arguments.device, arguments.precision)
    model = load(arguments.model).to(engine.device)
    address = arguments.data
    is_image = address is not None and Path(address).suffix.lower() in IMAGE_SUFFIXES
    if arguments.remedy and (address is None or is_image):
        raise UserError("--remedy is found over several images: give a data set")
    if arguments.target is not None and not is_image:
        raise UserError("--target is for one image: give an image file, or leave it out")
    passport, remedy = passport_of(model), None
    findings = _begin(arguments, model, passport, Path(address).name if is_image else None)
    if is_image:
        from vitreous.evaluate.predict import read_picture
        from vitreous.report.image_view import add_image

        try:
            pixels = read_picture(address, address, passport.preprocessing.channels)
        except BadImageError as error:
            raise UserError(f"cannot read {error}: give another image") from error
        add_image(findings, model, passport, pixels, engine, arguments.target)
    elif address is not None:
        if not isinstance(model, VisionTransformer):
            raise UserError(
                f"{arguments.model} has no attention to look at over a data set: give one image, "
                "or leave DATA out"
            )
        from vitreous.cli.part import open_part
        from vitreous.report.data_view import add_data
        from vitreous.train.run_folder import RunFolder

        run = RunFolder.of_model(arguments.model)
        dataset, part = open_part(address, run, arguments.part, data_options(arguments))
        total = min(arguments.images, len(dataset.parts[part].labels))
        with _progress(total) as advance:
            remedy = add_data(
                findings,
                model,
                dataset,
                part,
                engine,
                limit=arguments.images,
                batch_size=arguments.batch_size,
                bad_limit=arguments.bad_limit,
                advance=advance,
            )
    add_embedding(findings, model)
    if arguments.remedy:
        _save_remedy(findings, remedy, passport, folder)
    names = findings.write(folder)
    if not write_json(arguments.json, findings.numbers):
        print(" ".join(findings.reading))
        print(f"the page is {folder / names[0]}; beside it {len(names) - 1} figures and tables")
    return 0


def _begin(
    arguments: Namespace, model: "nn.Module", passport: "Passport", image: str | None
) -> "Findings":
    """An empty explanation with the model's facts."""
    import torch

    from vitreous import __version__
    from vitreous.model.vit import VisionTransformer
    from vitreous.report.findings import Findings
    from vitreous.report.reading import size

    architecture, seen = passport.architecture.name, passport.preprocessing.size
    parameters = sum(parameter.numel() for parameter in model.parameters())
    name = Path(arguments.model).resolve().name
    about = [architecture, f"{parameters:,} parameters", size(seen)]
    findings = Findings(image or name, ([name] if image else []) + about)
    findings.facts["Model"] = architecture
    findings.numbers |= {
        "model": architecture,
        "parameters": parameters,
        "image_size": list(seen),
    }
    if isinstance(model, VisionTransformer):
        config = model.config
        (h, w), (height, width) = config.grid_of(seen), config.patch_size
        findings.numbers |= {"grid": [h, w], "patch": config.patch}
        findings.facts |= {
            "Encoder": f"{config.depth} layers of {config.heads} heads",
            "Patches": f"{h} × {w} of {height} × {width} pixels",
            "The head reads": _READS.get(config.pooling, "the patches"),
        }
        if config.registers:
            findings.facts["Registers"] = f"{config.registers}, in no map"
    findings.facts["Versions"] = f"vitreous {__version__}, PyTorch {torch.__version__}"
    return findings


def _save_remedy(
    findings: "Findings", remedy: "Remedy | None", passport: "Passport", folder: Path
) -> None:
    """Write the model with its register, whose metrics are to be measured anew."""
    from dataclasses import replace

    from vitreous.weights.save import save

    if remedy is None:
        findings.reading.append("No artifacts that a register could take: no model is written.")
        return
    save(remedy.model, folder / _REMEDIED, replace(passport, metrics={}))
    findings.numbers["remedied"] = _REMEDIED
    findings.reading.append(f"The model with a test-time register is {_REMEDIED}.")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from vitreous.cli.terminal import console_on_stderr

    columns = ("images", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console_on_stderr(), transient=True) as bar:
        task = bar.add_task("images", total=total)
        yield lambda done: bar.advance(task, done)
