"""Figure 8: what a Transformer's compute is best spent on: depth, width, MLP, or patches."""

from collections.abc import Sequence
from dataclasses import replace
from math import log2
from typing import TYPE_CHECKING, Any

from vitreous.data.augmentation import Augmentation
from vitreous.data.sample import Dataset
from vitreous.experiments.cluster import JFT, paper_run
from vitreous.experiments.collection import first_of_each_class
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.results import Cell, Results
from vitreous.experiments.small import ADAM, small_vit, training
from vitreous.experiments.training import TrainingTrial
from vitreous.experiments.trial import Trial
from vitreous.model.config import ViTConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Training images, images seen, width and depth at the point that all curves share.
_SIZES = {"pocket": (20_000, 120_000, 64, 4), "lab": (60_000, 2_000_000, 128, 6)}
_BASE = "base"


def _models(part: Dataset, width: int, depth: int) -> dict[tuple[str, str], ViTConfig]:
    """Half and twice the base on each axis; a patch of 14, 7 or 4 pixels."""
    base = small_vit(part, 7, width, depth)
    found: dict[tuple[str, str], ViTConfig] = {(_BASE, "1"): base}
    for factor, patch in ((0.5, 14), (2.0, 4)):
        depths = round(depth * factor)
        widths: dict[str, Any] = {
            "width": round(width * factor),
            "heads": round(base.heads * factor),
        }
        mlp: dict[str, Any] = {"mlp_width": round(base.mlp_width * factor)}
        column = f"{factor:g}"
        found["depth", column] = replace(base, depth=depths)
        found["width", column] = replace(base, **widths)
        found["MLP width", column] = replace(base, **mlp)
        found["patch size", column] = replace(base, patch=patch)
        found["all", column] = replace(base, depth=depths, patch=patch, **widths, **mlp)
    return found


def _trials(setting: Setting) -> Sequence[Trial]:
    images, seen, width, depth = _SIZES[setting.scale]
    dataset = setting.data.pixels("fashion-mnist", 28)
    trials = []
    for seed in setting.each_seed():
        part = first_of_each_class(dataset, images, seed)
        for (row, column), model in _models(part, width, depth).items():
            config = training(
                part,
                model,
                images_seen=seen,
                optimizer=ADAM,
                augmentation=Augmentation(flip=0.5, translate=0.1),
            )
            trials.append(
                TrainingTrial(row=row, column=column, seed=seed, config=config, dataset=part)
            )
    return trials


def slope(results: Results, row: str) -> Cell:
    """Accuracy that a doubling of compute brings on a curve, from the half to the double."""
    less, more = results[row, "0.5"], results[row, "2"]
    doublings = log2(more.flops / less.flops) or 1.0
    pairs = zip(more.values, less.values, strict=True)
    return Cell(tuple((after - before) / doublings for after, before in pairs))


def _findings(results: Results) -> Sequence[Finding]:
    depth, width, patch = (slope(results, row) for row in ("depth", "width", "patch size"))
    nothing = Cell((0.0,) * len(depth.values))
    return [
        higher("a doubling of compute brings more by depth than by width", depth, width),
        higher("smaller patches help, without new parameters", patch, nothing),
    ]


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import curves

    base = results[_BASE, "1"]
    series = {}
    for row in results.rows:
        if row != _BASE:
            cells = [results[row, "0.5"], base, results[row, "2"]]
            series[row] = [(cell.flops / base.flops, cell.mean, cell.spread) for cell in cells]
    return curves(
        "Figure 8: what compute is best spent on",
        series,
        x="relative compute",
        y="test accuracy, Fashion-MNIST",
        logarithmic=True,
    )


def _paper() -> Sequence[PaperRun]:
    """Each curve from the point that all share up to ten times its compute, the axis's end.

    The paper states that point and the depth's end, 64 blocks; the other places are chosen here.
    """
    from vitreous.model.variants import variant_config
    from vitreous.train.recipes.pretraining import paper_jft

    start = variant_config("ViT-B/32")
    assert isinstance(start, ViTConfig)
    base = replace(start, width=1024, depth=8, mlp_width=2048, heads=16)
    models = {"base: 8 blocks, D 1024, MLP 2048, patch 32": base}
    for depth in (16, 32, 64):
        models[f"depth: {depth} blocks"] = replace(base, depth=depth)
    for width in (1536, 2048, 4096):
        models[f"width: D {width}"] = replace(base, width=width, heads=width // 64)
    for mlp in (4096, 8192, 32768):
        models[f"MLP width: {mlp}"] = replace(base, mlp_width=mlp)
    for patch in (28, 16, 14):
        models[f"patch size: {patch}"] = replace(base, patch=patch)
    for depth in (10, 12, 14):
        width = 128 * depth
        models[f"all: {depth} blocks, D {width}, MLP {2 * width}, patch 28"] = replace(
            base, depth=depth, width=width, mlp_width=2 * width, heads=width // 64, patch=28
        )
    return [paper_run(JFT, model, paper_jft, label=name) for name, model in models.items()]


EXPERIMENT = Experiment(
    name="figure8",
    title="what compute is best spent on: depth, width, MLP width or smaller patches",
    source="Figure 8, appendix D.2; no values are printed",
    form={"": ".2%"},
    scales={
        "pocket": Scale(
            what="test accuracy on Fashion-MNIST, 20,000 training images, 6 epochs; half and twice "
            "of a ViT of 4 blocks, width 64, MLP 128; patches of 14, 7 and 4",
            minutes=30,
        ),
        "lab": Scale(
            what="test accuracy on Fashion-MNIST, 60,000 training images, 33 epochs; half and "
            "twice of a ViT of 6 blocks, width 128, MLP 256; patches of 14, 7 and 4",
            minutes=60,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    paper=_paper,
)
