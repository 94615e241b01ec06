"""The options of every verb that reads a checkpoint: what its file may leave open.

Each answers a question that `load` asks, or replaces an assumption that it names; one that the file
contradicts is refused.
"""

from argparse import ArgumentParser, Namespace
from typing import Any

_OPTIONS = ("activation", "pooling", "normalisation", "architecture", "wrapper")


def add_checkpoint_arguments(parser: ArgumentParser) -> None:
    """Add the options to a verb's parser, in a group of their own."""
    group = parser.add_argument_group("what a foreign checkpoint may leave open")
    group.add_argument("--heads", metavar="INT", type=int, help="attention heads")
    group.add_argument("--activation", metavar="NAME", help="gelu, gelu_tanh, quick_gelu or relu")
    group.add_argument("--pooling", metavar="NAME", help="token, mean or map: what the head reads")
    group.add_argument(
        "--normalisation", metavar="NAME", help="half, imagenet, clip or none: of the images"
    )
    group.add_argument(
        "--architecture",
        metavar="NAME",
        help="as a config would name it: timm's architecture or Hugging Face's model_type",
    )
    group.add_argument(
        "--wrapper",
        metavar="KEY",
        help="which weights of several in one file, such as state_dict_ema",
    )
    group.add_argument(
        "--class-order",
        "--class_order",
        metavar="ORDER",
        choices=("number", "text"),
        help="number or text: the order of classes that are numbers, where the file has no names",
    )


def checkpoint_options(arguments: Namespace) -> dict[str, Any]:
    """The options that were given, as `load` takes them."""
    words = ("heads", *_OPTIONS, "class_order")
    return {word: value for word in words if (value := getattr(arguments, word)) is not None}
