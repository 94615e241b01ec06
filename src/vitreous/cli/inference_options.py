"""The options of every verb that runs a model over a data set."""

from argparse import ArgumentParser


def add_inference_arguments(parser: ArgumentParser, *, batch_size: int) -> None:
    """How images go through the model, and how many may be unreadable."""
    parser.add_argument(
        "--batch_size", metavar="INT", type=int, default=batch_size, help="images at once"
    )
    parser.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--precision", metavar="NAME", default="float32", help="float32 (exact), bfloat16 or auto"
    )
    parser.add_argument(
        "--bad_limit",
        metavar="SHARE",
        type=float,
        default=0.01,
        help="share of unreadable images over which it stops",
    )
