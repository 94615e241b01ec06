"""Experiments by name; a file is imported when it is asked for."""

import difflib
from importlib import import_module

from vitreous.errors import UserError
from vitreous.experiments.experiment import Experiment

NAMES = (
    "table1",
    "table2",
    "figure3",
    "figure4",
    "table5",
    "figure5",
    "table6",
    "self_supervision",
    "figure6",
    "figure7",
    "table7",
    "figure8",
    "figure9",
    "table8",
    "figure10",
    "figure11",
    "figure12",
    "figure13",
    "figure14",
    "table9",
    "equivariance",
    "five_flowers",
    "five_flowers_scratch",
    "fashion_mnist",
)
"""In the order of the paper; each is `EXPERIMENT` in the file of its name."""

ALIASES = {"d5": "figure12", "vtab": "table9"}
"""Other names: a section, or what people say."""


def find_experiment(name: str) -> Experiment:
    """An experiment by name; hyphens count as underscores.

    Raises:
        UserError: No such experiment; names the nearest and all.
    """
    spelt = name.lower().replace("-", "_")
    spelt = ALIASES.get(spelt, spelt)
    if spelt not in NAMES:
        nearest = difflib.get_close_matches(spelt, [*NAMES, *ALIASES], n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise UserError(f"unknown experiment {name!r}: {hint}there are {', '.join(NAMES)}")
    experiment: Experiment = import_module(f"vitreous.experiments.{spelt}").EXPERIMENT
    return experiment
