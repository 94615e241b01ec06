"""Name what is on images, with probabilities.

  vitreous predict runs/photos a.jpg b.png
  vitreous predict runs/photos folder/ --top 3 --json -

MODEL is a run folder or a checkpoint of any known family. Folders are searched for images, deeply;
what is hidden in them is left out. An image that cannot be read is named on stderr, the others go
on, and the exit code is 1.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from vitreous.cli.checkpoint_options import add_checkpoint_arguments, checkpoint_options
from vitreous.cli.output import add_json_argument, write_json
from vitreous.errors import BadImageError, UserError


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("model", metavar="MODEL", help="run folder or checkpoint")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="image files or folders")
    parser.add_argument("--top", metavar="INT", type=int, default=5, help="classes to name")
    parser.add_argument(
        "--threshold",
        metavar="SHARE",
        type=float,
        default=0.5,
        help="probability from which a class is there, for models of several labels an image",
    )
    parser.add_argument("--batch_size", metavar="INT", type=int, default=32, help="images at once")
    parser.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--precision", metavar="NAME", default="auto", help="auto, float32 or bfloat16"
    )
    add_checkpoint_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Load, predict, print."""
    from vitreous.evaluate.predict import predict
    from vitreous.weights.load import load
    from vitreous.weights.passport import passport_of

    for option in ("top", "batch_size"):
        if getattr(arguments, option) < 1:
            raise UserError(f"--{option} is {getattr(arguments, option)}: give at least 1")
    model = load(arguments.model, **checkpoint_options(arguments))
    files = list(_files(arguments.images))
    bad: list[BadImageError] = []
    predictions = predict(
        model,
        files,
        top=arguments.top,
        threshold=arguments.threshold,
        batch_size=arguments.batch_size,
        device=arguments.device,
        precision=arguments.precision,
        on_bad=bad.append,
    )
    results = [
        {
            "name": p.name,
            "labels": list(p.labels),
            "classes": [{"name": name, "probability": share} for name, share in p.probabilities],
            "assumptions": list(passport_of(model).assumptions),
        }
        for p in predictions
    ]
    unreadable = [{"name": error.name, "error": error.reason} for error in bad]
    if not write_json(arguments.json, results + unreadable):
        rows = [
            (p.name, "  ".join(_words(name, share, p.labels) for name, share in p.probabilities))
            for p in predictions
        ]
        width = max((len(name) for name, _ in rows), default=0)
        for name, words in rows:
            print(f"{name:{width}}  {words}")
    for error in bad:
        print(f"vitreous: cannot read {error}", file=sys.stderr)
    return 1 if bad else 0


def _words(name: str, share: float, labels: tuple[str, ...]) -> str:
    """A class and its probability; with a star where several may be there and it is."""
    return f"{name} {share:.1%}" + ("*" if len(labels) != 1 and name in labels else "")


def _files(paths: list[str]) -> Iterator[str]:
    from vitreous.data.sources.folder import files_below
    from vitreous.data.sources.tree import IMAGE_SUFFIXES

    for path in map(Path, paths):
        if path.is_dir():
            try:
                below = sorted(path / name for name in files_below(path))
            except OSError as fault:
                raise UserError(
                    f"cannot list {fault.filename} ({fault.strerror}): make it readable"
                ) from fault
            found = [file for file in below if file.suffix.lower() in IMAGE_SUFFIXES]
            if not found:
                raise UserError(
                    f"no images in {path}: it looks for {' '.join(sorted(IMAGE_SUFFIXES))}"
                )
            yield from map(str, found)
        elif path.exists():
            yield str(path)
        else:
            raise UserError(f"no such image: {path}")
