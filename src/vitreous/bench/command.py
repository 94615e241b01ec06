"""The commands that measure cases again."""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from vitreous.bench.roster import OURS, PEERS

_OPTIONS = (
    "",  # models stand bare
    "task",
    "precision",
    "mode",
    "batch",
    "image_size",
    "subjects",
    "rounds",
    "device",
    "threads",
)
_LISTS = ("", "precision", "mode", "batch")

Asked = tuple[tuple[str, ...], ...]
"""Values of each of `_OPTIONS`; it stands for all their combinations."""


def commands(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Commands that measure these cases and no others; what differs in one option shares one.

    Args:
        results: As `worker.measure` returns them, or failed.
    """
    asked = [_asked(result) for result in results]
    for name in _LISTS:
        asked = _merged(asked, _OPTIONS.index(name))
    return [_line(one) for one in asked]


def _asked(result: Mapping[str, Any]) -> Asked:
    case = result["case"]
    subjects = [name for name in (OURS, *PEERS) if name in result.get("subjects", ())]
    # What each package does unasked has no precision or mode to ask for.
    how = ("precision", "mode") if case["work"] != "default" else ()
    given = {
        "": case["model"],
        "task": case["work"],
        **{name: case[name] for name in how},
        "batch": case["batch"],
        "image_size": case["image_size"],
        "subjects": ",".join(subjects) if len(subjects) <= len(PEERS) else None,
        "rounds": result["rounds"],
        "device": case["device"],
        "threads": case["threads"],
    }
    return tuple((str(given[name]),) if given.get(name) else () for name in _OPTIONS)


def _merged(asked: Iterable[Asked], at: int) -> list[Asked]:
    """Those that differ in one option alone, as one."""
    found: dict[Asked, list[str]] = {}
    for one in asked:
        found.setdefault((*one[:at], *one[at + 1 :]), []).extend(one[at])
    return [
        (*rest[:at], tuple(dict.fromkeys(values)), *rest[at:]) for rest, values in found.items()
    ]


def _line(asked: Asked) -> str:
    words = ["vitreous", "bench", *asked[0]]
    for name, values in zip(_OPTIONS[1:], asked[1:], strict=True):
        if values:
            words += [f"--{name}", ",".join(values)]
    return shlex.join(words)
