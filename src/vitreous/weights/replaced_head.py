"""Heads that people put in the place of a library's own, or beside its model, to fine-tune it.

`model.heads = nn.Linear(...)`, `model.head = nn.Sequential(nn.Dropout(), nn.Linear(...))`, and a
wrapper with a linear layer of its own behind a model without a head: one linear layer either way,
which is given the name that the family has for it.
"""

from collections.abc import Iterable
from dataclasses import replace

from vitreous.errors import UserError
from vitreous.weights.read import Checkpoint

_OUTSIDE = ("head", "heads", "classifier", "fc", "linear", "mlp_head", "cls_head", "classification")


def with_usual_head(checkpoint: Checkpoint, head: str) -> Checkpoint:
    """The checkpoint with one linear layer for a head under its family's own name.

    Args:
        checkpoint: The image model's tensors.
        head: Name of the module that gives the logits in this family, such as `heads.head`.

    Raises:
        UserError: The head has several layers: what is between them, no tensor shows.
    """
    if not head or f"{head}.weight" in checkpoint.shapes:
        return checkpoint
    container = head.partition(".")[0]
    inside = _modules(
        name
        for name in checkpoint.shapes
        if name.startswith(f"{container}.") and ".pre_logits." not in name
    )
    if inside:
        return _renamed(checkpoint, _only_linear(checkpoint, inside), head)
    outer = [
        module
        for module in _modules(checkpoint.outside)
        if module.partition(".")[0] in _OUTSIDE or module.rpartition(".")[2] in _OUTSIDE
    ]
    if len(outer) != 1 or not _fits(checkpoint, outer[0]):
        return checkpoint
    shapes = dict(checkpoint.outside)
    own = {f"{outer[0]}.{part}": shapes.pop(f"{outer[0]}.{part}") for part in ("weight", "bias")}
    taken = replace(checkpoint, shapes=checkpoint.shapes | own, outside=shapes)
    note = (
        f"took {outer[0]}, outside {checkpoint.prefix!r}, for the head, which reads the pooled "
        "features"
    )
    return replace(_renamed(taken, outer[0], head), chosen=(*taken.chosen, note))


def _only_linear(checkpoint: Checkpoint, modules: list[str]) -> str:
    """The module that is the head, where it is the only one with weights."""
    if len(modules) == 1 and {f"{modules[0]}.weight", f"{modules[0]}.bias"} <= set(
        checkpoint.shapes
    ):
        return modules[0]
    raise UserError(
        f"{checkpoint.file}: its head has {len(modules)} layers with weights "
        f"({', '.join(modules[:5])}), and no tensor shows what is between them: not read; a "
        "head of one linear layer is"
    )


def _fits(checkpoint: Checkpoint, module: str) -> bool:
    """True for a linear layer with bias that reads as many features as some norm inside has."""
    kernel = checkpoint.outside.get(f"{module}.weight", ())
    bias = checkpoint.outside.get(f"{module}.bias")
    widths = {shape for name, shape in checkpoint.shapes.items() if "norm" in name or "ln" in name}
    return len(kernel) == 2 and bias == kernel[:1] and kernel[1:] in widths


def _renamed(checkpoint: Checkpoint, module: str, head: str) -> Checkpoint:
    names = {f"{head}.{part}": f"{module}.{part}" for part in ("weight", "bias")}
    shapes = {n: s for n, s in checkpoint.shapes.items() if n not in names.values()}
    shapes |= {new: checkpoint.shapes[old] for new, old in names.items()}
    return replace(
        checkpoint, shapes=shapes, read=lambda name: checkpoint.read(names.get(name, name))
    )


def _modules(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[0] for name in names))
