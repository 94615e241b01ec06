"""Figure 11: attention distance of a ViT beside that of a hybrid."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitreous.data.sample import Part
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.figure7 import IMAGES, as_shares, distances, survey_images
from vitreous.experiments.finding import Finding
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.subject import drawn_of, looks
from vitreous.experiments.trial import Trial
from vitreous.model.classifier import Classifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NEAREST, _LOCAL = "nearest head of the first layer", "local heads"
# A head is local where it looks less than half as far as if all patches were alike to it.
_HALF = 0.5
_DRAWN = 4  # models that a figure has room for
_CLAIM = "attention that is highly local is rarer in a hybrid"


def _look(model: Classifier, part: Part, images: int) -> Outcome:
    from vitreous.analysis.distance import uniform_distance
    from vitreous.model.config import ViTConfig

    found = survey_images(model, part, images)
    far = distances(found)
    shares = as_shares(far, found.grid, found.patch)
    assert isinstance(model.config, ViTConfig)
    return Outcome(
        {
            _NEAREST: float(shares[0].min()),
            "mean of the first layer": float(shares[0].mean()),
            "mean of the last layer": float(shares[-1].mean()),
            _LOCAL: float((shares < _HALF).mean()),
        },
        facts={
            "distance": far.tolist(),
            "everywhere": uniform_distance(found.grid, found.patch),
            "hybrid": model.config.stem is not None,
            "architecture": model.config.name,
        },
    )


def _trials(setting: Setting) -> Sequence[Trial]:
    return looks(setting, "figure11", _look, images=IMAGES, small=("", "hybrid"))


def _findings(results: Results) -> Sequence[Finding]:
    facts = {row: results[row, _LOCAL].facts[0] for row in results.rows}
    hybrids = [row for row in results.rows if facts[row]["hybrid"]]
    plain = [row for row in results.rows if not facts[row]["hybrid"]]
    if not hybrids or not plain:
        absent = "no hybrid" if plain else "no plain ViT"
        return [Finding(_CLAIM, "not shown", f"{absent} is among the checkpoints")]
    # Distance hangs on depth and patch too: R50+ViT-L/16 is compared with ViT-L/16 alone. The small
    # ones have one name, with a stem and without.
    pairs = [
        (one, hybrid)
        for hybrid in hybrids
        for one in plain
        if facts[one]["architecture"] == facts[hybrid]["architecture"].rpartition("+")[2]
    ]
    if not pairs:
        why = "no hybrid is among the checkpoints beside a plain ViT of its own size"
        return [Finding(_CLAIM, "not shown", why)]
    return [_compared(results, *pair) for pair in pairs]


def _compared(results: Results, plain: str, hybrid: str) -> Finding:
    near = [results[row, _NEAREST].mean for row in (plain, hybrid)]
    local = [results[row, _LOCAL].mean for row in (plain, hybrid)]
    why = (
        f"the nearest head of the first layer looks {near[0]:.0%} of an even head's distance in "
        f"{plain} and {near[1]:.0%} in {hybrid}; {local[0]:.0%} and {local[1]:.0%} of all heads "
        "look less than half as far as an even one"
    )
    if not any(local):
        return Finding(_CLAIM, "not shown", f"{why}: neither has learnt to look near")
    holds = near[1] > near[0] and local[1] < local[0]
    return Finding(_CLAIM, "holds" if holds else "does not hold", why)


def _draw(results: Results) -> "Figure":
    from vitreous.report.paper_figures import distances_side_by_side

    rows = {row: next(iter(results.row(row).values())).facts[0] for row in results.rows}
    title = f"Mean attention distance{drawn_of(results.rows, _DRAWN)}"
    return distances_side_by_side(title, dict(list(rows.items())[:_DRAWN]))


EXPERIMENT = Experiment(
    name="figure11",
    title="attention distance in a ViT and in a hybrid",
    source="Figure 11, appendix D.7",
    published_as="drawn and not printed: ViT-L/16 and R50x1+ViT-L/16",
    form={"": ".0%"},
    scales={
        "pocket": Scale(
            what="each checkpoint of --weights on 128 flower photos (on images of CIFAR-10 where "
            "--data has no flowers), or else two ViTs of 6 blocks trained here on 10,000 images of "
            "CIFAR-10, one behind a convolution; distances are shares of that of a head to which "
            "all patches are alike",
            minutes=16,
            seeds=1,
        )
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    takes_weights=True,
)
