"""What every training experiment has to plan, on data sets of a few random images."""

import gzip
import struct

import numpy as np
import pytest

from vitreous.experiments.cache import in_order
from vitreous.experiments.catalogue import NAMES, find_experiment
from vitreous.experiments.class_report import LOSS, LossCurvesTrial
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Setting
from vitreous.experiments.figure10 import SimilarityTrial, by_distance
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.training import TrainingTrial


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Every known set, with 25 images of each class."""
    folder = tmp_path_factory.mktemp("data")
    draw = np.random.default_rng(0)

    def images(classes: int, *shape: int):
        labels = np.tile(np.arange(classes), 25).astype(np.uint8)
        return draw.integers(0, 256, (len(labels), *shape), np.uint8), labels

    fashion = folder / "fashion_mnist"
    fashion.mkdir()
    for part in ("train", "t10k"):
        x, y = images(10, 28, 28)
        for kind, array in (("images-idx3", x), ("labels-idx1", y)):
            head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
            data = gzip.compress(head + array.tobytes(), 1)
            (fashion / f"{part}-{kind}-ubyte.gz").write_bytes(data)
    names = ("cifar10_jpeg_train", "cifar10_jpeg_test")
    for name in names:
        x, y = images(10, 32, 32, 3)
        np.savez(folder / f"{name}.npz", x=x, y=y)
    collection = Collection(folder)
    x, y = images(5, 72, 72, 3)
    np.savez(folder / "flowers.npz", x=x, y=y)
    collection.find = lambda name: {  # type: ignore[method-assign]
        "fashion-mnist": (fashion,),
        "cifar10": tuple(folder / f"{name}.npz" for name in names),
        "flowers": (folder / "flowers.npz",),
    }[name]
    return collection


def outcome_of(trial, draw) -> Outcome:
    if isinstance(trial, SimilarityTrial):
        similarity = draw.uniform(-1, 1, (3, 3, 3, 3))
        return Outcome(by_distance(similarity), facts={"similarity": similarity.tolist()})
    if isinstance(trial, LossCurvesTrial):
        curve = [[1.0, 1.5], [2.0, 1.0]]
        return Outcome({LOSS: 1.0}, facts={"training": curve, "validation": curve})
    column = getattr(trial, "column", "accuracy")
    return Outcome({column: float(draw.random())}, flops=trial.flops or 1.0)


@pytest.mark.parametrize("scale", ["pocket", "lab"])
@pytest.mark.parametrize("name", NAMES)
def test_a_plan_has_seeds_a_cell_and_a_verdict(name, scale, collection) -> None:
    experiment = find_experiment(name)
    if scale not in experiment.scales:
        pytest.skip("not at this scale")
    if experiment.scales[scale].seeds == 1:
        pytest.skip("it looks at what is trained, or counts")
    setting = Setting(scale=scale, seeds=2, data=collection)
    if experiment.check is not None and scale == "lab":
        pytest.skip("it wants published weights there")
    planned = experiment.trials(setting)
    trials = list(in_order(planned))
    if not all(isinstance(trial, TrainingTrial) or trial.needs for trial in trials):
        pytest.skip("nothing is trained")
    assert {trial.seed for trial in trials} == {0, 1}
    assert trials[0].seed == 0
    assert trials[-1].seed == 1
    assert sum(trial.flops for trial in trials) > 0
    draw = np.random.default_rng(0)
    results = Results(
        (
            trial.row,
            outcome_of(trial, draw),
        )
        for trial in planned
        if trial.row
    )
    assert all(len(cell.values) == 2 for cell in results.cells.values())
    findings = experiment.findings(results)
    assert findings
    assert experiment.draw is not None
    assert experiment.draw(results).axes
