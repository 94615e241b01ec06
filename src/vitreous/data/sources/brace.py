"""Names of numbered files as WebDataset writes them: `name-{000..127}.tar`."""

import math
import re
from itertools import product

from vitreous.errors import UserError

_GROUP = re.compile(r"\{([^{}]*)\}")

# More files than this are a slip of the keyboard.
_MOST = 1_000_000


def expand_braces(pattern: str) -> list[str]:
    """All names of a pattern, as a shell expands it: ranges `{000..127}` and choices `{a,b}`.

    Raises:
        UserError: A group is neither, a range runs backwards, or the names are over a million.
    """
    pieces = _GROUP.split(pattern)
    choices = [_choices(group, pattern) for group in pieces[1::2]]
    if (total := math.prod(map(len, choices))) > _MOST:
        raise UserError(f"{pattern}: stands for {total:,} files: check the numbers")
    names = []
    for chosen in product(*choices):
        filled = [piece for pair in zip(pieces[::2], (*chosen, ""), strict=True) for piece in pair]
        names.append("".join(filled))
    return names


def _choices(group: str, pattern: str) -> list[str]:
    if (bounds := re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", group)) is None:
        if "," in group:
            return group.split(",")
        raise UserError(f"{pattern}: {{{group}}} is neither {{000..127}} nor {{a,b}}")
    first, last = bounds.groups()
    numbers = range(int(first), int(last) + 1)
    if not numbers:
        raise UserError(f"{pattern}: {{{group}}} runs backwards: write {{{last}..{first}}}")
    if len(numbers) > _MOST:
        raise UserError(f"{pattern}: stands for {len(numbers):,} files: check the numbers")
    return [f"{number:0{len(first)}d}" for number in numbers]
