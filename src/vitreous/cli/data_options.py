"""The options of every verb that opens data: how its folders, tables and names are to be read."""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import fields
from typing import get_args, get_type_hints

from vitreous.data.reading import ReadingOptions, option


def add_data_arguments(parser: ArgumentParser) -> None:
    """Add one option for each field of `ReadingOptions`, in a group of their own."""
    group = parser.add_argument_group("how DATA is read, where it could be read in two ways")
    texts, hints = dict(_descriptions()), get_type_hints(ReadingOptions)
    for one in fields(ReadingOptions):
        choices = [word for word in get_args(hints[one.name]) if isinstance(word, str)]
        group.add_argument(
            *dict.fromkeys((option(one.name), f"--{one.name}")),
            dest=f"reading_{one.name}",
            metavar=_metavar(one.name),
            choices=choices or None,
            help=texts[one.name].replace("%", "%%"),
        )


def data_options(arguments: Namespace) -> ReadingOptions:
    """Return what was typed; all else is left open."""
    typed = {one.name: getattr(arguments, f"reading_{one.name}") for one in fields(ReadingOptions)}
    return ReadingOptions(**{name: value for name, value in typed.items() if value is not None})


def _metavar(name: str) -> str:
    last = name.rpartition("_")[2].upper()
    words = {"NAME": "REGEX", "ROOT": "FOLDER", "SUFFIX": "ENDING", "IMAGE": "NUMBER"}
    return words.get(last, last)


def _descriptions() -> Iterator[tuple[str, str]]:
    """Each field's words, read off the `Attributes` of the options."""
    _, _, attributes = (ReadingOptions.__doc__ or "").partition("Attributes:\n")
    for entry in re.split(r"\n {8}(?=\w)", f"\n{attributes.rstrip()}"):
        name, _, words = entry.strip().partition(": ")
        if name:
            yield name, " ".join(words.replace("`", "").split())
