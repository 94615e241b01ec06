"""A data set's labels in a model's class order, matched by name."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.sample import Labels
from vitreous.errors import UserError


def match_classes(model: Sequence[str], data: Sequence[str]) -> Int64[np.ndarray, " n"]:
    """For each class of the data, its place in the model's order.

    Equal lists are in order, whatever names they repeat. Data may have fewer classes than the
    model. Where one side only counts its classes (0, 1, 2,
    ...), and the numbers of classes are equal, places are taken as they are.

    Args:
        model: Class names in the order of the logits.
        data: Class names in the data's label order.

    Raises:
        UserError: The data has a class that the model never learnt; names both sets.
    """
    if list(model) == list(data):
        return np.arange(len(model))
    places = {name: place for place, name in enumerate(model)}
    if all(name in places for name in data):
        return np.array([places[name] for name in data], dtype=np.int64)
    if len(model) == len(data) and (_counted(model) or _counted(data)):
        return np.arange(len(model))
    raise UserError(
        f"the model knows {_listed(model)} and the data has {_listed(data)}: give data of the same "
        "classes, or train a new head with --weights"
    )


def in_model_order(
    labels: Labels, places: Int64[np.ndarray, " C"], num_classes: int, *, multi_label: bool
) -> Int64[np.ndarray, " n"] | UInt8[np.ndarray, "n columns"]:
    """The data's labels, as the model would give them.

    Args:
        labels: Class indices or multi-hot rows, in the data's order.
        places: Of `match_classes`.
        num_classes: K, of the model.
        multi_label: Whether the model gives several labels; a single one becomes a row then.
    """
    if not multi_label:
        return places[labels]
    rows = np.zeros((len(labels), num_classes), np.uint8)
    if labels.ndim == 2:
        rows[:, places] = labels
    else:
        rows[np.arange(len(labels)), places[labels]] = 1
    return rows


def _counted(names: Sequence[str]) -> bool:
    return list(names) == [str(number) for number in range(len(names))]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} classes ({shown})"
