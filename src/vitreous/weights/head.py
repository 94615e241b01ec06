"""A new head out of an old one: rows of known classes, zeros for the others."""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from vitreous.errors import UserError


def match_rows(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Which row of the old head goes to which of the new one, by class name.

    Of classes that share a name, as ImageNet's cranes do, the first goes to the first.

    Args:
        old: Class names of the old head, in order.
        new: Of the new head.

    Returns:
        New row -> old row, for the names that the old head knows; said in one line of the log.

    Raises:
        UserError: It knows none of them, or a name stands for more of its rows than were asked for.
    """
    rows = defaultdict(list)
    for row, name in enumerate(old):
        rows[name].append(row)
    asked = Counter(new)
    for name, times in asked.items():
        if name in rows and times != len(rows[name]):
            raise UserError(
                f"class {name!r} stands for {len(rows[name])} rows of the old head and is asked "
                f"for {times} times: rename one"
            )
    waiting = {name: iter(places) for name, places in rows.items()}
    kept = {place: next(waiting[name]) for place, name in enumerate(new) if name in waiting}
    if not kept:
        raise UserError(
            f"the old head knows none of the {len(new)} classes ({_listed(new)}), it has "
            f"{_listed(old) or 'none'}: leave keep_head out for a zero head"
        )
    lost = [name for name in new if name not in rows]
    logging.getLogger("vitreous").warning(
        "kept %d of %d rows of the head by class name%s",
        len(kept),
        len(new),
        f"; zero: {_listed(lost)}" if lost else "",
    )
    return kept


def kept_rows(
    old: Float[Tensor, "K ..."], size: int, kept: dict[int, int]
) -> Float[Tensor, "K2 ..."]:
    """Weights or biases of a head of `size` classes: kept rows in their new places, else zeros."""
    new = old.new_zeros(size, *old.shape[1:])
    new[list(kept.keys())] = old[list(kept.values())]
    return new


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
