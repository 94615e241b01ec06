"""The checker of shapes that tests run under."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray

_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check arguments and results at run time, where a signature speaks of shapes.

    Other signatures are mypy's; values out of range are the code's own to refuse.
    """
    hints = getattr(function, "__annotations__", {}).values()
    shaped = any(_is_array(part) for hint in hints for part in _parts(hint))
    return _beartype(function) if shaped else function


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for argument in get_args(hint):
        yield from _parts(argument)


def _is_array(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, AbstractArray)
