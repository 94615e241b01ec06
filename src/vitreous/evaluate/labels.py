"""A data set's labels in a model's class order, matched by name."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.sample import Labels
from vitreous.errors import UserError
from vitreous.weights.passport import Passport

_log = logging.getLogger("vitreous")


def match_classes(model: Sequence[str], data: Sequence[str]) -> Int64[np.ndarray, " n"]:
    """For each class of the data, its place in the model's order.

    Equal lists are in order, whatever names they repeat. Data may have fewer classes than the
    model. Where one side only counts its classes (0, 1, 2, ...), and the numbers of classes are
    equal, places are taken as they are, and it is said.

    Args:
        model: Class names in the order of the logits; of a model without names, those that
            `named_by_data` gives.
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
        _log.warning(
            "classes matched by place: the model's %s are the data's %s",
            _listed(model),
            _listed(data),
        )
        return np.arange(len(model))
    raise _strangers(model, data)


def named_by_data(passport: Passport, data: Sequence[str]) -> Passport:
    """The passport with the data's class names, where the model itself has none.

    Training libraries sort folders as text, in which 10 stands before 2, and keep no names in the
    file. Where the classes of the data in the order of their numbers, or as the data lists them,
    are in another order than their text, the model's own order is a question.

    Args:
        passport: Of the model; returned as it is where it has names, or no head.
        data: Class names in the data's label order: as many as the head has classes, or some of
            the numbers of its logits.

    Returns:
        A passport of class order `named`; how the classes were matched is logged. Logits that no
        class of the data has are called `logit N`.

    Raises:
        UserError: Nobody says the order of the logits (`class_order`), or the data has other
            classes than the head.
    """
    if passport.class_order == "named" or not passport.class_names:
        return passport
    size = len(passport.class_names)
    numbers = [str(label) for label in range(size)]
    listed = numbers if set(data) <= set(numbers) else list(data)
    if len(listed) != size:
        raise _strangers(passport.class_names, data)
    by_text = sorted(range(size), key=listed.__getitem__)
    if passport.class_order == "unknown" and by_text != list(range(size)):
        file = passport.origin.get("file", "this model")
        raise UserError(
            f"{file} has no class names, and its {size} logits can be in the order of the classes' "
            f"numbers ({_shown(listed)}) or of their text, in which libraries sort folders "
            f"({_shown([listed[place] for place in by_text])}): say which, by --class-order number "
            "or --class-order text (class_order= in Python)"
        )
    order = by_text if passport.class_order == "text" else range(size)
    names = [listed[place] for place in order]
    _log.warning(
        "the model has no class names: its logits are taken for %s in the order %s",
        _listed(names),
        "of their text" if passport.class_order == "text" else "in which the data has them",
    )
    known = set(data)
    return replace(
        passport,
        class_names=tuple(
            name if name in known else f"logit {place}" for place, name in enumerate(names)
        ),
        class_order="named",
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
    return f"{len(names)} classes ({_shown(names)})"


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _strangers(model: Sequence[str], data: Sequence[str]) -> UserError:
    return UserError(
        f"the model knows {_listed(model)} and the data has {_listed(data)}: give data of the same "
        "classes, or train a new head with --weights"
    )
