"""The pages as a reader's browser shows them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import choose_engine
from vitreous.report.comparison import write_comparison
from vitreous.report.embedding import add_embedding
from vitreous.report.findings import Findings
from vitreous.report.image_view import add_image
from vitreous.report.page import write_report
from vitreous.report.pictures import AttentionView, Mistake
from vitreous.weights.passport import passport_of

Browse = Callable[[Path], dict[str, Any]]


def assert_sound(seen: dict[str, Any], figures: set[str], num_images: int) -> None:
    assert seen["errors"] == []
    assert seen["loaded"] == []
    assert seen["width"] <= seen["space"], "the page scrolls sideways"
    assert {figure["name"] for figure in seen["figures"]} == figures
    for figure in seen["figures"]:
        assert figure["width"] > 50, figure
        assert figure["height"] > 50, figure
    assert len(seen["images"]) == num_images
    for image in seen["images"]:
        assert image["natural"] > 0, image
        assert image["width"] > 50, image
        assert image["height"] > 50, image


def test_report(
    tmp_path: Path,
    browse: Browse,
    report: dict[str, Any],
    history: list[dict[str, float]],
    mistakes: list[Mistake],
    views: list[AttentionView],
) -> None:
    path = tmp_path / "report.html"
    write_report(path, report, history, mistakes, views)
    figures = {
        "training accuracy",
        "training loss",
        "training learning rate",
        "training speed",
        "confusion matrix",
        "calibration",
    }
    for seen in browse(path).values():
        assert_sound(seen, figures, len(mistakes) + 2 * len(views))
        names, reversed_names, falling, rising = seen["sorted"]
        assert names == reversed_names[::-1]
        assert set(names) == {row["name"] for row in report["classes"]}
        assert falling == sorted(falling, reverse=True)
        assert rising == sorted(rising)
        assert len(set(rising)) > 3


def test_bare_report_of_many_classes(
    tmp_path: Path, browse: Browse, make_report: Callable[..., dict[str, Any]]
) -> None:
    path = tmp_path / "report.html"
    write_report(path, make_report(300, num_images=900))
    for seen in browse(path).values():
        assert_sound(seen, {"confusion matrix", "calibration"}, 0)
        assert set(seen["found"]) == {"class 17", *(f"class 17{digit}" for digit in range(10))}


def test_comparison(
    tmp_path: Path, browse: Browse, report: dict[str, Any], history: list[dict[str, float]]
) -> None:
    path = tmp_path / "compare.html"
    reports = {"a <run>": report, "another-run-with-a-very-long-name-" * 3: report, "c": report}
    write_comparison(path, reports, dict.fromkeys(reports, history))
    figures = {
        f"{part} {name}" for part in ("validation", "training") for name in ("accuracy", "loss")
    }
    figures |= {f"{measure} by class" for measure in ("f1", "precision", "recall")}
    for seen in browse(path).values():
        assert_sound(seen, figures, 0)


def test_explanation(
    tmp_path: Path, browse: Browse, small_model: Callable[..., VisionTransformer]
) -> None:
    findings, model = Findings("a <photo>.jpg", ["ViT"]), small_model()
    pixels = np.random.default_rng(0).integers(256, size=(48, 80, 3), dtype=np.uint8)
    add_image(findings, model, passport_of(model), pixels, choose_engine("cpu", "float32"))
    add_embedding(findings, model)
    findings.write(tmp_path / "out")
    figures = {
        "trust",
        "randomisation",
        "heads",
        "attention distance",
        "attention entropy",
        "token length",
        "effective rank",
        "filters",
        "position similarity",
    }
    for seen in browse(tmp_path / "out" / "explain.html").values():
        assert_sound(seen, figures, 5 + 3)
