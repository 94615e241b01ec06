"""Who takes part: a model in somebody's code, with weights that we know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.model.classifier import Classifier
from vitreous.model.config import ModelConfig
from vitreous.weights.family import Family
from vitreous.weights.rule import to_theirs


class LeftOutError(Exception):
    """A subject cannot take part; the reason is one line."""


@dataclass(frozen=True)
class Subject:
    """One model to be timed.

    Attributes:
        version: Of the package.
        model: In its own code, float32, on the CPU.
        answer: Calls it: images (B, C, H, W) to logits (B, K).
        twin: The model of ours whose weights it has, where these are not the case's own.
    """

    version: str
    model: nn.Module
    answer: Callable[[nn.Module, Float[Tensor, "B C H W"]], Float[Tensor, "B K"]]
    twin: Classifier | None = None


def plainly(model: nn.Module, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
    """The answer of a model that returns its logits."""
    logits: Tensor = model(images)
    return logits


def randomise(model: Classifier) -> Classifier:
    """Add noise to every tensor.

    What training begins with has zeros and ones in places, behind which a wrong conversion could
    hide.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.empty(parameter.shape).normal_(0, 0.02, generator=generator)
            parameter.add_(noise.to(parameter.device))
    return model.eval()


def layout_for(layouts: Sequence[Family], config: ModelConfig, theirs: nn.Module) -> Family:
    """The layout with a module's own names.

    Raises:
        LeftOutError: None of them has.
    """
    names = set(theirs.state_dict())
    for layout in layouts:
        if set(layout.signature) <= names and layout.objection(config) is None:
            return layout
    raise LeftOutError("its tensors have names that are not known here: another version")


def check_sayable(layouts: Sequence[Family], config: ModelConfig) -> None:
    """Whether an architecture can be said in one of some layouts.

    Raises:
        LeftOutError: In none; names the field.
    """
    fitting = [layout for layout in layouts if isinstance(config, layout.architecture)]
    objections = [layout.objection(config) for layout in fitting]
    if not objections:
        raise LeftOutError(f"has no models of kind {config.kind}")
    if None not in objections:
        raise LeftOutError(f"has no model with {objections[0]}")


def fill(theirs: nn.Module, layout: Family, ours: Classifier) -> None:
    """Copy the weights of a model of ours.

    Raises:
        LeftOutError: They do not fit.
    """
    tensors: Mapping[str, Any] = dict(to_theirs(layout.rules(ours.config), ours.state_dict()))
    try:
        theirs.load_state_dict(tensors)
    except RuntimeError as error:
        raise LeftOutError(" ".join(str(error).split())[:200]) from error
    theirs.eval()
