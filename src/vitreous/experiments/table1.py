"""Table 1: the variants, and how many parameters they have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.finding import Finding
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.trial import Trial
from vitreous.model.config import ViTConfig
from vitreous.model.cost import count_parameters
from vitreous.model.variants import variant_config

# Layers, width, MLP, heads, parameters.
_TABLE = {
    "Base": (12, 768, 3072, 12, 86e6),
    "Large": (24, 1024, 4096, 16, 307e6),
    "Huge": (32, 1280, 5120, 16, 632e6),
}
_VARIANTS = {
    "ViT-B/16": "Base",
    "ViT-B/32": "Base",
    "ViT-L/16": "Large",
    "ViT-L/32": "Large",
    "ViT-H/14": "Huge",
}
_COLUMNS = ("layers", "width", "MLP", "heads", "parameters")
_HEADED = "with a head"


@dataclass(frozen=True, kw_only=True, eq=False)
class CountTrial(Trial):
    """Counts one variant, without weights."""

    @property
    def key(self) -> dict[str, Any]:
        """The variant."""
        return {"kind": "count", "variant": self.row}

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Build it where nothing is allocated, and count."""
        config = variant_config(self.row, num_classes=0)
        assert isinstance(config, ViTConfig)
        sizes = (config.depth, config.width, config.mlp_width, config.heads)
        counts = (count_parameters(config), count_parameters(config.with_classes(1000)))
        return Outcome(dict(zip((*_COLUMNS, _HEADED), (*sizes, *counts), strict=True)))


def _trials(setting: Setting) -> Sequence[Trial]:
    return [CountTrial(row=name) for name in _VARIANTS]


def _findings(results: Results) -> Sequence[Finding]:
    shapes = all(
        results[name, column].mean == published
        for name, size in _VARIANTS.items()
        for column, published in zip(_COLUMNS[:4], _TABLE[size], strict=False)
    )
    told, met = [], []
    for size, (*_, published) in _TABLE.items():
        found = {
            f"{name}{words}": results[name, column].mean
            for name, own in _VARIANTS.items()
            if own == size
            for column, words in (("parameters", ""), (_HEADED, " with a head of 1,000 classes"))
        }
        nearest = min(found, key=lambda one: abs(found[one] - published))
        met.append(round(found[nearest] / 1e6) == round(published / 1e6))
        told.append(f"{published / 1e6:.0f}M is {nearest}, {found[nearest] / 1e6:.2f}M")
    return [
        Finding(
            "layers, width, MLP and heads are those of the table",
            "holds" if shapes else "does not hold",
            "all five variants are the same" if shapes else "a variant differs",
        ),
        Finding(
            "the parameters are those of the table",
            "holds" if all(met) else "does not hold",
            "; ".join(told),
        ),
    ]


EXPERIMENT = Experiment(
    name="table1",
    title="the variants and their parameters, counted",
    source="Table 1",
    published_as="Base, Large and Huge, without saying which patch, or whether with a head",
    published={
        (name, column): float(value)
        for name, size in _VARIANTS.items()
        for column, value in zip(_COLUMNS, _TABLE[size], strict=True)
    },
    form={"": ",.0f"},
    scales={"pocket": Scale(what="counted at 224 pixels, exactly", minutes=0.1, seeds=1)},
    trials=_trials,
    findings=_findings,
)
