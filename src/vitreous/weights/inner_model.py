"""The image model inside a wrapper's state dict: `model.`, `net.vit.`, `encoder.` and the like.

A module that holds a Vision Transformer beside a loss, a metric, a text tower or another model puts
a prefix before its names. The prefix is found by a family's signature. What stands outside is no
part of the image model and is listed, but for one linear layer that can only be its head.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from vitreous.errors import UserError
from vitreous.weights.family import Family
from vitreous.weights.pickled import is_averaged
from vitreous.weights.read import Checkpoint

_SHOWN = 5
_TRAINING = re.compile(
    r"(criterion|crit|loss\w*|\w*_loss|metrics?|\w*_metrics?|\w*_acc(uracy)?|\w*_(f1|auroc|auc)"
    r"|n_averaged|class_weights?|pos_weight)(\..*)?"
)


def without_training_parts(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without losses and metrics that stand beside the model; they are noted."""
    names = [name for name in checkpoint.shapes if _TRAINING.fullmatch(name)]
    if not names or len(names) == len(checkpoint.shapes):
        return checkpoint
    return replace(
        checkpoint,
        shapes={name: s for name, s in checkpoint.shapes.items() if name not in set(names)},
        chosen=(*checkpoint.chosen, f"left out the loss and metrics of training: {_listed(names)}"),
    )


def inner_model(
    checkpoint: Checkpoint, families: Sequence[Family], wrapper: str | None = None
) -> Checkpoint:
    """The checkpoint of the model under a prefix, or the same one where no family is under any.

    Args:
        checkpoint: Whose names are of no family as they are.
        families: Every layout that may stand inside.
        wrapper: The caller's word for the prefix, with or without its dot.

    Raises:
        UserError: Several models are inside and none is the usual one, or none is under `wrapper`.
    """
    found = _prefixes(checkpoint, families)
    prefixes = found
    if wrapper is not None:
        asked = f"{wrapper.removesuffix('.')}."
        prefixes = [prefix for prefix in found if prefix.startswith(asked)]
        if not prefixes:
            there = f"under {_listed(found)}" if found else "under no other prefix either"
            raise UserError(
                f"{checkpoint.file}: no model known here lies under wrapper={wrapper!r}: there is "
                f"one {there}"
            )
    plain = [prefix for prefix in prefixes if not is_averaged(prefix)] or prefixes
    if not plain:
        return checkpoint
    if len(plain) > 1:
        raise UserError(
            f"{checkpoint.file} holds a model under each of {_listed(plain)}: say which, by "
            f"wrapper={plain[0].removesuffix('.')!r}"
        )
    return _below(checkpoint, plain[0], [prefix for prefix in found if prefix != plain[0]])


def _prefixes(checkpoint: Checkpoint, families: Sequence[Family]) -> list[str]:
    """Every outermost prefix under which a family's signature stands, in the file's order."""
    names = dict.fromkeys(checkpoint.shapes)
    found: dict[str, int] = {}
    for family in families:
        first = family.signature[0]
        for place, name in enumerate(names):
            prefix = name.removesuffix(first)
            if name.endswith(f".{first}") and all(prefix + s in names for s in family.signature):
                found[prefix] = min(place, found.get(prefix, place))
    outer = (one for one in found if not any(one != o and one.startswith(o) for o in found))
    return sorted(outer, key=found.__getitem__)


def _below(checkpoint: Checkpoint, prefix: str, others: list[str]) -> Checkpoint:
    shapes = checkpoint.shapes
    full = {name.removeprefix(prefix): name for name in shapes if name.startswith(prefix)}
    outside = [name for name in shapes if not name.startswith((prefix, *others))]
    notes = [
        f"took the weights under {prefix!r}; others stand beside them under {other!r} "
        f"(wrapper={other.removesuffix('.')!r} takes those)"
        for other in others
    ]
    return replace(
        checkpoint,
        shapes={bare: shapes[name] for bare, name in full.items()},
        read=lambda bare: checkpoint.read(full.get(bare, bare)),
        prefix=prefix,
        outside={name: shapes[name] for name in outside},
        chosen=(*checkpoint.chosen, *notes),
    )


def outside_note(checkpoint: Checkpoint) -> tuple[str, ...]:
    """In words, what stands outside of the image model's prefix and was left out."""
    if not checkpoint.outside:
        return ()
    return (f"{_listed(list(checkpoint.outside))}, outside {checkpoint.prefix!r}",)


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    more = len(all_names) - _SHOWN
    return ", ".join(all_names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
