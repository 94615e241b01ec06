"""A data set, explained."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.data.open import open_dataset
from vitreous.data.sample import Dataset
from vitreous.errors import BadImageError, UserError
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import choose_engine
from vitreous.report.data_view import add_data
from vitreous.report.findings import Findings


class Noise:
    """Random images of two classes; one cannot be read."""

    names = tuple(f"{index}.png" for index in range(30))
    labels = np.arange(30) % 2

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        if index == 2:
            raise BadImageError("2.png", "torn")
        return np.random.default_rng(index).integers(256, size=(30, 50, 3), dtype=np.uint8)


@pytest.fixture
def noise() -> Dataset:
    return Dataset(
        address="noise", class_names=("cat", "<dog>"), parts={"train": Noise()}, channels=3
    )


@pytest.mark.parametrize("fields", [{}, {"pooling": "mean", "registers": 1}])
def test_means_over_images(
    small_model: Callable[..., VisionTransformer], noise: Dataset, fields: dict[str, object]
) -> None:
    findings, done = Findings("model", []), []
    add_data(
        findings,
        small_model(**fields),
        noise,
        "train",
        choose_engine("cpu", "float32"),
        limit=20,
        batch_size=8,
        bad_limit=0.5,
        advance=done.append,
    )
    assert findings.numbers["images"] == sum(done) == 19
    assert findings.numbers["skipped"] == {"2.png": "torn"}
    assert findings.about == ["19 train images of noise, 1 unreadable left out"]
    heads = findings.tables["heads"]
    assert [(row["layer"], row["head"]) for row in heads[:4]] == [(1, 1), (1, 2), (1, 3), (2, 1)]
    # Where heads attend to all alike; queries at the border see farther than those inside.
    assert all(0 < row["distance_pixels"] < 40 for row in heads)
    assert all(row["distance_sd"] > 0 for row in heads)
    assert len(findings.tables["layers"]) == 3
    page = "".join(part.text for part in findings.sections)
    assert "&lt;dog&gt;" in page
    assert "Means over 19 images." in page
    assert findings.reading[0].startswith("Heads look ")


def test_images_of_several_labels(
    small_model: Callable[..., VisionTransformer], noise: Dataset
) -> None:
    part = Noise()
    part.labels = np.array([[0, 0], [1, 0], [1, 1]], np.uint8)[np.arange(30) % 3]
    findings, engine = Findings("model", []), choose_engine("cpu", "float32")
    dataset = replace(noise, parts={"train": part}, multi_label=True)
    add_data(findings, small_model(), dataset, "train", engine, limit=6, bad_limit=0.5)
    page = "".join(section.text for section in findings.sections)
    for words in ("<b>cat</b>", "cat, &lt;dog&gt;"):
        assert words in page


def test_grey_photographs_by_a_colour_model(
    small_model: Callable[..., VisionTransformer], tmp_path: Path
) -> None:
    for number in range(4):
        file = tmp_path / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.new("L", (30, 30), 60 * number).save(file)
    findings, engine = Findings("model", []), choose_engine("cpu", "float32")
    add_data(findings, small_model(), open_dataset(tmp_path), "train", engine, limit=4)
    assert findings.numbers["images"] == 4


def test_arrays_of_other_channels_are_refused(
    small_model: Callable[..., VisionTransformer], noise: Dataset
) -> None:
    engine = choose_engine("cpu", "float32")
    with pytest.raises(UserError, match="channels"):
        add_data(Findings("model", []), small_model(channels=1), noise, "train", engine, limit=5)
