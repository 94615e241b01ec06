"""Figure 10: what position embeddings come to look like, by the hyper-parameters of training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from vitreous.data.augmentation import Augmentation
from vitreous.experiments.cluster import JFT, paper_run
from vitreous.experiments.collection import first_of_each_class
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.small import ADAM, small_vit, training
from vitreous.experiments.training import AfterTraining, TrainingTrial
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The paper's three: epochs, learning rate, weight decay.
_PAPER = {
    "7 epochs, LR 2e-4, WD 0.01": (7, 2e-4, 0.01),
    "7 epochs, LR 4e-4, WD 0.1": (7, 4e-4, 0.1),
    "14 epochs, LR 4e-4, WD 0.1": (14, 4e-4, 0.1),
}
# Small models take higher rates.
_RATE = 2.5
_IMAGES = 20_000
# Images seen in an epoch of the paper's, patch, width, depth.
_SIZES = {"pocket": (10_000, 4, 64, 4), "lab": (100_000, 2, 192, 8)}


@dataclass(frozen=True, kw_only=True, eq=False)
class SimilarityTrial(AfterTraining):
    """How alike the learned positions of patches are, by the cosine."""

    kind = "position similarity"

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """The mean cosine of patches side by side, in one row or column, and elsewhere."""
        from vitreous.analysis.position_similarity import added_positions, position_similarity
        from vitreous.model.vit import VisionTransformer
        from vitreous.weights.load import load

        model = load(str(finished(self.start) / "run"))
        assert isinstance(model, VisionTransformer)
        similarity = position_similarity(added_positions(model)).numpy()
        return Outcome(
            by_distance(similarity), facts={"similarity": np.round(similarity, 3).tolist()}
        )


def by_distance(similarity: Float[np.ndarray, "h w h w"]) -> dict[str, float]:
    """Mean cosine of different patches that touch, that share a row or column, and of the rest."""
    h, w = similarity.shape[:2]
    places = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), -1).reshape(-1, 2)
    apart = np.abs(places[:, None] - places[None])  # (N, N, 2)
    flat = similarity.reshape(h * w, h * w)
    beside = apart.sum(2) == 1
    aligned = (apart.min(2) == 0) & (apart.max(2) > 1)
    elsewhere = apart.min(2) > 0
    groups = {"side by side": beside, "same row or column": aligned, "elsewhere": elsewhere}
    return {name: float(flat[group].mean()) for name, group in groups.items()}


def _trials(setting: Setting) -> Sequence[Trial]:
    per_epoch, patch, width, depth = _SIZES[setting.scale]
    dataset = setting.data.pixels("fashion-mnist", 28)
    trials = []
    for seed in setting.each_seed():
        part = first_of_each_class(dataset, _IMAGES, seed)
        for row, (epochs, rate, decay) in _PAPER.items():
            config = training(
                part,
                small_vit(part, patch, width, depth),
                images_seen=epochs * per_epoch,
                optimizer=replace(ADAM, learning_rate=_RATE * rate, weight_decay=decay),
                augmentation=Augmentation(crop_area=(0.25, 1.0), flip=0.5),
            )
            start = TrainingTrial(row="", seed=seed, config=config, dataset=part)
            trials.append(SimilarityTrial(row=row, seed=seed, start=start))
    return trials


def _findings(results: Results) -> Sequence[Finding]:
    longest = list(_PAPER)[-1]
    beside, aligned, elsewhere = results.row(longest).values()
    claims = (
        ("patches side by side have more similar positions than others", beside, elsewhere),
        ("patches of one row or column have, too", aligned, elsewhere),
    )
    return [higher(claim, more, less, points=False) for claim, more, less in claims]


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import similarities

    return similarities(
        "Figure 10: position embeddings by hyper-parameters",
        {
            row: np.asarray(next(iter(results.row(row).values())).facts[0]["similarity"])
            for row in results.rows
        },
    )


def _paper() -> Sequence[PaperRun]:
    from vitreous.train.recipes.pretraining import paper_jft

    runs = []
    for label, (epochs, rate, decay) in _PAPER.items():
        run = paper_run(JFT, "ViT-L/16", paper_jft, epochs=epochs, learning_rate=rate, label=label)
        optimizer = replace(run.config.optimizer, weight_decay=decay)
        runs.append(replace(run, config=replace(run.config, optimizer=optimizer)))
    return runs


EXPERIMENT = Experiment(
    name="figure10",
    title="how alike position embeddings become, by hyper-parameters",
    source="Figure 10, appendix D.4; no values are printed",
    form={"": ".2f"},
    scales={
        "pocket": Scale(
            what="mean cosine of patches' positions, ViT of 4 blocks of width 64 with patches of "
            "4 on Fashion-MNIST, 70,000 and 140,000 images seen, rates 2.5 times the paper's",
            minutes=15,
        ),
        "lab": Scale(
            what="mean cosine of patches' positions, ViT of 8 blocks of width 192 with patches of "
            "2 on Fashion-MNIST, 700,000 and 1,400,000 images seen, rates 2.5 times the paper's",
            minutes=30,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    paper=_paper,
)
