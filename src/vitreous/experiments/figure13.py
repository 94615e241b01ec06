"""Figure 13: axial attention; what can be told of it without an axial model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitreous.experiments.cluster import JFT
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.figure12 import SpeedTrial
from vitreous.experiments.finding import Finding
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.trial import Trial
from vitreous.model.cost import multiply_adds
from vitreous.model.variants import variant_config

_COMPUTE, _SPEED = "exaFLOPs", "images/s at 224"
# ExaFLOPs of seven epochs of JFT-300M (Table 6), the figure's horizontal axis.
_PUBLISHED = {"ViT-B/32": 55.0, "ViT-B/16": 224.0, "BiT-R50x1": 50.0}
_EPOCHS, _MARGIN = 7, 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class ComputeTrial(Trial):
    """Counts the operations of the paper's pretraining of one model."""

    @property
    def key(self) -> dict[str, Any]:
        """The variant."""
        return {"kind": "compute", "variant": self.row, "epochs": _EPOCHS}

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Six operations a multiply-add of the forward pass, over all images of all epochs."""
        each = multiply_adds(variant_config(self.row))
        return Outcome({_COMPUTE: 6 * each * JFT[1] * _EPOCHS / 1e18})


def _trials(setting: Setting) -> Sequence[Trial]:
    return [
        trial
        for name in _PUBLISHED
        for trial in (ComputeTrial(row=name), SpeedTrial(row=name, side=224))
    ]


def _findings(results: Results) -> Sequence[Finding]:
    apart = {
        name: results[name, _COMPUTE].mean / published - 1 for name, published in _PUBLISHED.items()
    }
    why = ", ".join(f"{name} {share:+.1%}" for name, share in apart.items())
    return [
        Finding(
            "the compute of the three models without axial attention is the paper's",
            "holds" if max(map(abs, apart.values())) < _MARGIN else "does not hold",
            why,
        ),
        Finding(
            "axial attention makes ViT and ResNet better, and slower",
            "not shown",
            "AxialResNet and Axial-ViT are not in this package, and the figure's accuracies are "
            "not printed in the paper",
        ),
    ]


EXPERIMENT = Experiment(
    name="figure13",
    title="axial attention: compute and speed of the three models without it",
    source="Figure 13, appendix D.6",
    published_as="exaFLOPs of seven epochs of JFT-300M, of Table 6; accuracies are only drawn",
    published={(name, _COMPUTE): value for name, value in _PUBLISHED.items()},
    form={"": ",.3g"},
    scales={
        "pocket": Scale(
            what="operations counted, speed on this machine; axial models are not in this package",
            minutes=1,
            seeds=1,
        )
    },
    trials=_trials,
    findings=_findings,
    timed=True,
)
