"""VTAB-1k: its facts, its sets in several layouts, and the linear probe."""

from collections import Counter
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from small_sets import write_sets
from vitreous.errors import UserError
from vitreous.evaluate.features import Labelled
from vitreous.evaluate.linear_probe import linear_probe
from vitreous.evaluate.vtab import find_sets, find_task, missing, open_task, summarise
from vitreous.evaluate.vtab_tasks import PUBLISHED, TASKS


def test_means_of_the_table_are_the_papers() -> None:
    """Table 2 has 77.63, 76.28 and 72.72; the rows of Table 9 are rounded."""
    assert Counter(task.group for task in TASKS) == {
        "natural": 7, "specialized": 4, "structured": 8,
    }  # fmt: skip
    for column, published in enumerate((77.63, 76.28, 72.72)):
        assert fmean(task.published[column] for task in TASKS) == pytest.approx(published, abs=0.02)
    rows = [
        {
            "group": task.group,
            "accuracy": task.published[0] / 100,
            "published": dict(zip(PUBLISHED, task.published, strict=True)),
        }
        for task in TASKS
    ]
    means = {row["group"]: row for row in summarise(rows)}
    assert means["natural"]["accuracy"] == pytest.approx(0.8669, abs=1e-4)
    assert means["specialized"]["published"]["ViT-L/16 JFT"] == pytest.approx(86.72, abs=0.01)
    assert means["structured"]["published"]["ViT-L/16 I21k"] == pytest.approx(57.50, abs=0.01)
    assert (means["all"]["tasks"], means["all"]["of"]) == (19, 19)
    assert summarise(rows[:2])[-1]["tasks"] == 2


def test_tasks_go_by_several_names() -> None:
    assert find_task("CIFAR-100") == find_task("cifar_100") == find_task("cifar")
    assert find_task("sNORB-Azim").classes == 18
    names = [name for task in TASKS for name in (task.folder, *task.aliases)]
    assert len(set(names)) == len(names)
    with pytest.raises(UserError, match="no task 'mnist' in VTAB: there are caltech101, cifar"):
        find_task("mnist")


def test_sets_in_every_layout(tmp_path: Path) -> None:
    found = find_sets(write_sets(tmp_path))
    assert {task.folder: Path(address).name for task, address in found.items()} == {
        "svhn": "svhn", "eurosat": "eurosat.csv", "dsprites_loc": "dsprites_loc",
    }  # fmt: skip
    absent = missing(TASKS, found)
    assert len(absent) == 16
    assert absent[0]["images"].startswith("https://data.caltech.edu")
    for task, address in found.items():
        dataset = open_task(task, address, most=30)
        counts = {name: len(part.labels) for name, part in dataset.parts.items()}
        assert counts == {"train": 160, "validation": 40, "test": 30}
        assert dataset.notes["protocol"].startswith("160 + 40 training images")
        assert dataset.notes["test"].startswith("30 of 100 test images")


def test_a_large_set_gives_a_thousand() -> None:
    dataset = open_task(find_task("svhn"), "digits")
    counts = {name: len(part.labels) for name, part in dataset.parts.items()}
    assert counts == {"train": 800, "validation": 200, "test": 360}
    assert dataset.notes["train"] == "1000 images drawn by chance, and not VTAB-1k's own"
    assert "protocol" not in dataset.notes
    assert not set(dataset.parts["train"].names) & set(dataset.parts["validation"].names)


def test_another_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 10 classes and KITTI-Dist has 4"):
        open_task(find_task("kitti"), "digits")
    (tmp_path / "train800.txt").write_text("a.png 0\n")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UserError):
        open_task(find_task("kitti"), str(tmp_path))
    with pytest.raises(UserError, match="no such folder"):
        find_sets(tmp_path / "nowhere")


def test_the_penalty_is_chosen_on_the_validation_images() -> None:
    """Where these are labelled at random, a heavy penalty is as good as any, and is taken."""
    draw = np.random.default_rng(0)

    def labelled(count: int, signal: float) -> Labelled:
        labels = draw.integers(2, size=count)
        x = draw.normal(size=(count, 30)).astype(np.float32)
        x[:, 0] += signal * (2 * labels - 1)
        return Labelled(x, labels, np.arange(count))

    train, test = labelled(60, 2), labelled(400, 2)
    honest = linear_probe(train, test, validation=labelled(200, 2))
    assert honest.accuracy > 0.93
    assert honest.sweep[honest.l2] == max(honest.sweep.values())
    lonely = Labelled(train.features, np.r_[2, train.labels[1:]], train.index)
    assert linear_probe(lonely, test, validation=labelled(200, 2)).accuracy > 0.9
