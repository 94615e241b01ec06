"""What the numbers say, in sentences: the reading that a person would give them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class ConfusedPair(NamedTuple):
    """One kind of mistake, and how often it happened."""

    truth: str
    predicted: str
    images: int
    share: float  # of the true class's images


def confused_pairs(report: Mapping[str, Any], limit: int = 12) -> list[ConfusedPair]:
    """Find the most frequent mistakes.

    Args:
        report: The dictionary of `classification_report`.
        limit: At most so many.

    Returns:
        Pairs of true and predicted class, the most images first; equal counts in class order. None
        of a report of so many classes that it has no confusion.
    """
    if "confusion" not in report:
        return []
    counts = np.array(report["confusion"])
    support = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    names = [row["name"] for row in report["classes"]]
    order = np.argsort(-counts, axis=None, kind="stable")[:limit]
    pairs = zip(*np.unravel_index(order, counts.shape), strict=True)
    return [
        ConfusedPair(
            names[truth],
            names[predicted],
            int(counts[truth, predicted]),
            float(counts[truth, predicted] / support[truth]),
        )
        for truth, predicted in pairs
        if counts[truth, predicted] > 0
    ]


def read_accuracy(report: Mapping[str, Any]) -> str:
    """Say how many were right, which class goes best and worst, and what it is mistaken for."""
    total = report["num_images"]
    right = round(report["accuracy"] * total)
    if right == total:
        return f"All {total:,} images were named right."
    sentences = [f"Of {total:,} images, {right:,} were named right."]
    present = [row for row in report["classes"] if row["support"] > 0]
    ordered = sorted(present, key=lambda row: row["f1"])
    extremes = []
    # Only what stands alone at its end is the best or the worst.
    if len(ordered) > 1 and ordered[-1]["f1"] > ordered[-2]["f1"]:
        extremes.append(f"“{ordered[-1]['name']}” best (F1 {ordered[-1]['f1']:.2f})")
    if len(ordered) > 1 and ordered[0]["f1"] < ordered[1]["f1"]:
        extremes.append(f"“{ordered[0]['name']}” least (F1 {ordered[0]['f1']:.2f})")
    if extremes:
        sentences.append(f"It knows {' and '.join(extremes)}.")
    pairs = confused_pairs(report, limit=2)
    often = [pair.images for pair in pairs] or [0]
    if len(present) > 2 and often[0] > max([1, *often[1:]]):
        pair = pairs[0]
        sentences.append(
            f"Its most frequent mistake is to take “{pair.truth}” for “{pair.predicted}” "
            f"({pair.images:,} times, {percent(pair.share)} of that class)."
        )
    return " ".join(sentences)


def read_calibration(report: Mapping[str, Any]) -> str:
    """Say in one sentence whether the confidence can be believed."""
    accuracy = report["accuracy"]
    bins = report["calibration"]
    count = np.array(bins["count"], dtype=float)
    confidence = float((count * np.array(bins["confidence"])).sum() / count.sum())
    means = (
        f"on average it claims {percent(confidence)} and is right {percent(accuracy)} of the time"
    )
    if abs(confidence - accuracy) < 0.02 and report["ece"] < 0.03:
        return f"The confidence can be taken at its word: {means}."
    if abs(confidence - accuracy) < 0.02:
        return f"Right on the whole, uneven in its parts: {means}, but not at every confidence."
    if confidence > accuracy:
        return f"The model is surer than it should be: {means}."
    return f"The model is more modest than it needs to be: {means}."


def read_intervals(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """Say whether the accuracies of runs lie further apart than chance explains.

    Two intervals that do not overlap tell two runs apart; two that do may still belong to
    different runs, which only the answers to each image could show.
    """
    ordered = sorted(reports, key=lambda name: -reports[name]["accuracy"])
    best, second = ordered[:2]
    lead = reports[best]["accuracy"] - reports[second]["accuracy"]
    if lead == 0:
        verdict = f"{best} and {second} are equally accurate."
    elif reports[best]["accuracy_interval"][0] > reports[second]["accuracy_interval"][1]:
        verdict = (
            f"{best} leads {second} by {points(lead)}, and their 95\u202f% intervals do not "
            "overlap: more than chance."
        )
    else:
        verdict = (
            f"{best} leads {second} by {points(lead)}, but their 95\u202f% intervals overlap: "
            "so small a lead may be chance."
        )
    sizes = {report["num_images"] for report in reports.values()}
    places = {
        (report["data"], report.get("part")) for report in reports.values() if report.get("data")
    }
    if len(sizes) > 1 or len(places) > 1:
        verdict += (
            " The runs were not measured on the same images, which these numbers cannot undo."
        )
    return verdict


def percent(share: float | int, decimals: int = 1) -> str:
    """Write a share as a percentage, with a narrow space that does not break."""
    return f"{100 * share:.{decimals}f}\u202f%"


def points(difference: float | int) -> str:
    """Write a difference of shares in percentage points."""
    return f"{100 * difference:.1f} points"


def duration(seconds: float | int) -> str:
    """Write a time in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}\u202fs"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(image_size: int | Sequence[int]) -> str:
    """Write the side, or height and width, of an image."""
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    return f"{height} × {width} pixels"
