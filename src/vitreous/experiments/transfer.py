"""Transfer of the user's checkpoints to the user's data sets, for Tables 2, 5 and 6."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from vitreous.data.sample import Dataset
from vitreous.data.sources.real import RealLabels, read_real_labels
from vitreous.data.split import Subset
from vitreous.errors import UserError
from vitreous.evaluate.real import check_truth, real_accuracy
from vitreous.experiments.checkpoints import check_loads, checkpoints, digest_of
from vitreous.experiments.collection import KNOWN, sampled_fingerprint
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.finding import Finding
from vitreous.experiments.paper_grid import PaperGrid
from vitreous.experiments.published_transfer import VTAB, Table
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.trial import Trial
from vitreous.experiments.twin import architecture, nearest_row, rows_of
from vitreous.experiments.vtab import mean_trials
from vitreous.model.classifier import Classifier

SETS = {
    "ImageNet": "imagenet",
    "CIFAR-10": "cifar10",
    "CIFAR-100": "cifar100",
    "Pets": "pets",
    "Flowers": "flowers102",
}
"""Columns of the tables -> names in `KNOWN`."""

Answers = tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]
"""Predicted classes, and the place in the test part of the image of each."""

_TRAIN, _TEST = 5_000, 2_000  # images of a linear probe, at most
# What is wanted for a column that is no set of its own.
_ABSENT = {
    "ReaL": "ReaL (ImageNet, and real.json beside it)",
    VTAB: f"{VTAB} (all of them in vtab-1k/)",
}
# Three runs of the paper differ by up to 0.15 points; half a point is the same result.
_SAME = 0.005


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferTrial(Trial):
    """One checkpoint on one data set.

    Attributes:
        row: The checkpoint's name.
        column: The data set's, as in the tables.
        weights: The checkpoint.
        dataset: With train and test parts.
        recipe: By which it is fine-tuned; None means a linear probe on frozen features.
        real: ImageNet's labels by ReaL, which fill that column too.
    """

    column: str
    weights: Path
    dataset: Dataset
    recipe: str | None
    real: RealLabels | None = None

    @cached_property
    def key(self) -> dict[str, Any]:
        """The weights, the images, and how."""
        key = {
            "kind": "transfer",
            "weights": digest_of(self.weights),
            "data": sampled_fingerprint(self.dataset.parts),
            "finetuned": self.recipe or False,
            "column": self.column,
        }
        if self.real is not None:
            key["real"] = hashlib.sha256(repr(self.real).encode()).hexdigest()[:16]
        return key

    def check(self) -> None:
        """Load the checkpoint, so that none is refused when others are done.

        Raises:
            UserError: It cannot be read; names the file.
        """
        check_loads(self.weights)

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Fine-tune in the trial's folder, or probe."""
        from vitreous.weights.load import load

        model = load(self.weights)
        if self.recipe is None:
            predicted, index = self._probe(model)
        else:
            predicted, index = self._finetune(model, self.recipe, folder)
        part = self.dataset.parts["test"]
        values = {self.column: float((predicted == part.labels[index]).mean())}
        if self.real is not None:
            names = [part.names[place] for place in index.tolist()]
            values["ReaL"] = real_accuracy(predicted, names, self.real)["accuracy"]
        facts = {"architecture": architecture(model.config), "finetuned": self.recipe or False}
        return Outcome(values, facts=facts)

    def _probe(self, model: Classifier) -> Answers:
        from vitreous.evaluate.features import read_features
        from vitreous.evaluate.linear_probe import linear_probe
        from vitreous.parallel.device import choose_engine
        from vitreous.weights.adapt import adapt

        if model.config.channels != self.dataset.channels:
            model = adapt(model, channels=self.dataset.channels, share=True)
        engine = choose_engine("auto", "float32")
        train, test = (
            read_features(model.eval(), self.dataset.parts[part], engine)
            for part in ("train", "test")
        )
        return linear_probe(train, test).predicted, test.index

    def _finetune(self, model: Classifier, recipe: str, folder: Path) -> Answers:
        import torch
        from rich.console import Console

        from vitreous.parallel.device import choose_engine
        from vitreous.report.assemble import evaluate_part
        from vitreous.train.recipes.catalogue import find_recipe
        from vitreous.train.recipes.facts import Facts
        from vitreous.train.run import train
        from vitreous.weights.load import load
        from vitreous.weights.passport import passport_of

        config = find_recipe(recipe)(
            Facts(
                data=self.dataset.address,
                num_images=len(self.dataset.parts["train"].labels),
                num_classes=self.dataset.num_classes,
                channels=self.dataset.channels,
                image_size=self.dataset.image_size,
                gpu=torch.cuda.is_available(),
                weights=str(self.weights),
                trained=(model.config, passport_of(model).preprocessing),
            )
        )
        config = replace(config, seed=self.seed, validation_fraction=0.0)
        train(config, self.dataset, folder / "run", Console(quiet=True), resume=True)
        tuned, engine = load(folder / "run"), choose_engine("auto", "float32")
        _, answers = evaluate_part(tuned, self.dataset, "test", engine)
        return answers.logits.argmax(1), answers.index


def transfer_experiment(
    name: str,
    title: str,
    source: str,
    grid: PaperGrid,
    counted: Callable[[], Mapping[str, PaperRun]] | None = None,
) -> Experiment:
    """The experiment of one of the tables.

    Args:
        name: What the command calls it.
        title: A line that says what it asks.
        source: Where in the paper it stands.
        grid: The table as it is published.
        counted: Rows whose cost `--scale paper` counts anew.
    """
    published = grid.shares()
    return Experiment(
        name=name,
        title=title,
        source=source,
        published_as="top-1 after fine-tuning by Table 4",
        published=published,
        form={"": ".2%"},
        grid=grid,
        counted=counted,
        scales={
            "pocket": Scale(
                what="linear probe on frozen features, at most 5,000 training and 2,000 test "
                "images, of each checkpoint of --weights on the sets that --data holds",
                minutes=20,
                seeds=1,
            ),
            "lab": Scale(
                what="fine-tuned by Table 4 at the rate 0.01, without its sweep, of each "
                "checkpoint of --weights on the sets that --data holds",
                minutes=600,
                seeds=1,
                gpu=True,
            ),
        },
        trials=partial(_trials, name, published),
        findings=partial(_findings, published),
        takes_weights=True,
    )


def _trials(experiment: str, published: Table, setting: Setting) -> Sequence[Trial]:
    if setting.weights is None:
        raise UserError(
            f"{experiment} needs trained models: give --weights, a folder of checkpoints"
        )
    models = checkpoints(setting.weights)
    datasets: dict[str, Dataset] = {}
    for column, name in SETS.items():
        try:
            setting.data.find(name)
        except UserError:
            continue
        dataset = setting.data.open(name)
        datasets[column] = dataset if setting.scale == "lab" else _fewer(dataset)
    real = _real_labels(setting, datasets["ImageNet"]) if "ImageNet" in datasets else None
    trials: list[Trial] = [
        TransferTrial(
            row=name,
            column=column,
            seed=seed,
            weights=model,
            dataset=dataset,
            recipe=_recipe(experiment, column) if setting.scale == "lab" else None,
            real=real if column == "ImageNet" else None,
        )
        for name, model in models.items()
        for column, dataset in datasets.items()
        for seed in (setting.each_seed() if setting.scale == "lab" else (0,))
    ]
    if VTAB in _columns(published):
        trials += mean_trials(setting, models, VTAB)
    if not trials:
        listed = ", ".join(KNOWN[name].title for name in SETS.values())
        raise UserError(
            f"{setting.data.folder}: none of {listed} is there: "
            f"{KNOWN['cifar10'].get} there, for example"
        )
    return trials


def _real_labels(setting: Setting, imagenet: Dataset) -> RealLabels | None:
    """What `real.json` beside ImageNet says, where it is there."""
    file = setting.data.folder / "real.json"
    if not file.is_file():
        return None
    labels = read_real_labels(file)
    test = imagenet.parts["test"]
    check_truth(test.labels, test.names, labels)
    return labels


def _recipe(experiment: str, column: str) -> str:
    """Table 2's row of ImageNet has larger images and averaged weights, the others have not."""
    return "finetune-512" if (experiment, column) == ("table2", "ImageNet") else "finetune"


def _columns(published: Table) -> list[str]:
    return list(dict.fromkeys(column for _, column in published))


def _fewer(dataset: Dataset) -> Dataset:
    """Images of all classes by turns."""
    from vitreous.report.assemble import spread

    parts = {}
    for name, most in (("train", _TRAIN), ("test", _TEST)):
        part = dataset.parts[name]
        parts[name] = Subset([part], np.sort(spread(part.labels, most)))
    return replace(dataset, parts=parts)


def _findings(published: Table, results: Results) -> Sequence[Finding]:
    absent = [
        _ABSENT.get(name, name)
        for name in _columns(published)
        if all((row, name) not in results for row in results.rows)
    ]
    found = [_of(published, results, row) for row in results.rows]
    found.append(
        Finding(
            "every column of the table is measured",
            "not shown" if absent else "holds",
            f"absent: {', '.join(absent)}" if absent else "all",
        )
    )
    return found


def _of(published: Table, results: Results, row: str) -> Finding:
    """Whether a checkpoint comes near, in all columns, what one row has for its architecture.

    The rows of a table can lie closer together than methods: only what was measured in the same
    way, and in every column of a row, can be the paper's.
    """
    cells = results.row(row)
    measured = {column: cell.mean for column, cell in cells.items()}
    facts = [one for cell in cells.values() for one in cell.facts]
    model = facts[0]["architecture"]
    claim = f"{row} ({model}) transfers as the paper's"
    nearest = nearest_row(published, model, measured)
    if nearest is None:
        return Finding(claim, "not shown", "the table has no row of that architecture")
    beside = rows_of(published, model, measured)[nearest]
    told = "; ".join(
        f"{column} {measured[column]:.2%} beside {value:.2%}" for column, value in beside.items()
    )
    why = f"nearest in all is {nearest}: {told}"
    lacking = [column for name, column in published if name == nearest and column not in measured]
    probed = not all(one["finetuned"] for one in facts)
    if probed:
        why += "; a linear probe here, fine-tuning there (--scale lab)"
    if lacking:
        why += f"; not measured: {', '.join(lacking)}"
    holds = (
        not probed
        and not lacking
        and all(abs(value - measured[column]) < _SAME for column, value in beside.items())
    )
    return Finding(claim, "holds" if holds else "not shown", why)
