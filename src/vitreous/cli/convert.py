"""Write a model in another family's format; what was written is read back and proven the same.

  vitreous convert B_16.npz vit_b16_timm/ --to timm
  vitreous convert runs/flowers flowers.npz --to google

IN is a run folder or a checkpoint of any known family. OUT is a file, or a folder that gets the
weights and their config. What the format cannot say is refused.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from vitreous.cli.checkpoint_options import add_checkpoint_arguments, checkpoint_options
from vitreous.cli.output import add_json_argument, write_json
from vitreous.errors import UserError


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("model", metavar="IN", help="run folder or checkpoint")
    parser.add_argument("out", metavar="OUT", help="file or folder to write")
    parser.add_argument(
        "--to",
        metavar="FAMILY",
        help="google, big_vision, big_transfer, facebook, timm, huggingface, torchvision, openai, "
        "lucidrains or vitreous; without it a .npz is google's, anything else ours",
    )
    parser.add_argument(
        "--image_size", metavar="SIZE", help="one side or HEIGHTxWIDTH: positions are resampled"
    )
    add_checkpoint_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Load, write, prove, and say where."""
    from vitreous.weights.convert import convert
    from vitreous.weights.load import load

    to = arguments.to or ("google" if arguments.out.endswith(".npz") else "vitreous")
    size = None if arguments.image_size is None else _size(arguments.image_size)
    model = load(arguments.model, image_size=size, **checkpoint_options(arguments))
    proof = convert(model, Path(arguments.out), to)
    if not write_json(arguments.json, asdict(proof) | {"file": str(proof.file)}):
        layout = f" ({proof.layout})" if proof.layout else ""
        print(f"{proof.tensors} tensors come back bit-equal from the {proof.family} format{layout}")
        print(f"largest difference of logits on {proof.images} images: {proof.difference:.1e}")
        for what in proof.lost:
            print(f"the {proof.family} format has no place for the {what}")
        print(f"wrote {proof.file}")
    return 0


def _size(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if not 1 <= len(sides) <= 2 or not all(side.isdecimal() for side in sides):
        raise UserError(f"--image_size is {text}: give one side or HEIGHTxWIDTH, such as 224x160")
    return int(sides[0]), int(sides[-1])
