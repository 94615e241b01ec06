"""A model's table class by class: classes down, their measures across."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vitreous.experiments.results import Place


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """The place of one model's values among results and published values.

    Attributes:
        title: The model, in words.
        classes: From top to bottom.
        measures: From left to right, such as precision.
        place: Gives the place of a value from its class and measure.
        below: Places of values of the whole model, such as its accuracy; each is a line below.
    """

    title: str
    classes: Sequence[str]
    measures: Sequence[str]
    place: Callable[[str, str], Place]
    below: Sequence[Place] = ()
