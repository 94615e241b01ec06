"""Figure 9: a class token, or the mean of the patches, each with its own learning rate."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vitreous.experiments.cluster import JFT, paper_run
from vitreous.experiments.collection import first_of_each_class
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.finding import Finding, alike, higher
from vitreous.experiments.own_rate import own_rate
from vitreous.experiments.results import Cell, Results
from vitreous.experiments.small import ADAM, small_vit, training
from vitreous.experiments.training import TrainingTrial
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RATES = ("0.0003", "0.001", "0.003")
# Half a point of test accuracy, the deviation of a score on 2,000 images.
_MARGIN = 0.005
# Training images, validation images, images seen, patch, width, depth.
_SIZES = {
    "pocket": (10_000, 2_000, 120_000, 7, 64, 4),
    "lab": (50_000, 10_000, 2_000_000, 4, 192, 8),
}


def _trials(setting: Setting) -> Sequence[Trial]:
    images, validation, seen, patch, width, depth = _SIZES[setting.scale]
    dataset = setting.data.pixels("fashion-mnist", 28)
    trials = []
    for seed in setting.each_seed():
        part = first_of_each_class(dataset, images, seed, validation=validation)
        for row, token in (("class token", True), ("mean", False)):
            model = small_vit(
                part,
                patch,
                width,
                depth,
                class_token=token,
                pooling="token" if token else "mean",
                pre_logits=width if token else None,
            )
            for rate in _RATES:
                config = training(
                    part,
                    model,
                    images_seen=seen,
                    optimizer=replace(ADAM, learning_rate=float(rate)),
                    validate_every=seen / images / 12,
                )
                trials.append(
                    TrainingTrial(row=row, column=rate, seed=seed, config=config, dataset=part)
                )
    return trials


def _findings(results: Results) -> Sequence[Finding]:
    token, mean = (own_rate(results, row) for row in ("class token", "mean"))
    same = alike(
        f"class token ({token}) and mean ({mean}) reach the same with their own learning rates",
        [results["class token", token], results["mean", mean]],
        margin=_MARGIN,
    )
    claim = "the mean needs another learning rate than the class token"
    if token == mean:
        why = f"of {', '.join(_RATES)}, validation chose {token} for both"
        return [same, Finding(claim, "not shown", why)]
    return [same, higher(claim, results["mean", mean], results["mean", token])]


def _point(points: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Epoch, and the mean and spread of accuracies, of one validation of each seed."""
    accuracies = Cell(tuple(accuracy for _, accuracy in points))
    return points[0][0], accuracies.mean, accuracies.spread


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import curves

    series = {}
    for (row, rate), cell in results.cells.items():
        runs = [facts["curve"] for facts in cell.facts if facts.get("curve")]
        if runs:
            middle = [_point(points) for points in zip(*runs, strict=True)]
        else:
            middle = [(0.0, cell.mean, cell.spread)]
        series[f"{row}, {rate}"] = middle
    return curves(
        "Figure 9: class token and mean, by learning rate",
        series,
        x="epoch",
        y="validation accuracy",
    )


def _paper() -> Sequence[PaperRun]:
    from vitreous.model.config import ViTConfig
    from vitreous.model.variants import variant_config
    from vitreous.train.recipes.pretraining import paper_jft

    base = variant_config("ViT-B/16")
    assert isinstance(base, ViTConfig)
    mean = replace(base, class_token=False, pooling="mean")
    runs = [paper_run(JFT, base, paper_jft, label="class token, 8e-4")]
    for rate in (8e-4, 3e-4):
        label = f"mean, {rate:.0e}".replace("e-0", "e-")
        run = paper_run(JFT, mean, paper_jft, learning_rate=rate, label=label)
        # The recipe's head has a hidden layer; the mean's is linear (appendix D.3).
        model = run.config.model
        assert isinstance(model, ViTConfig)
        linear = replace(run.config, model=replace(model, pre_logits=None))
        runs.append(replace(run, config=linear))
    return runs


EXPERIMENT = Experiment(
    name="figure9",
    title="a class token against the mean of the patches, by learning rate",
    source="Figure 9, appendix D.3; no values are printed",
    form={"": ".2%"},
    scales={
        "pocket": Scale(
            what="test accuracy on Fashion-MNIST by Adam's learning rate, ViT of 4 blocks of width "
            "64 with patches of 7, 10,000 training images, 12 epochs; rates chosen on 2,000 others",
            minutes=25,
        ),
        "lab": Scale(
            what="test accuracy on Fashion-MNIST by Adam's learning rate, ViT of 8 blocks of width "
            "192 with patches of 4, 50,000 training images, 40 epochs; rates chosen on the others",
            minutes=40,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    paper=_paper,
)
