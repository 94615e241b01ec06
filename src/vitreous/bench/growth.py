"""How cost grows with the work: curves out of cases that differ in one thing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vitreous.bench.case import Case
from vitreous.bench.summary import summarise

Axis = Literal["pixels", "batch", "operations"]
_FEWEST = 3  # points that make a curve


@dataclass(frozen=True)
class Curve:
    """Cases that differ in one thing.

    Attributes:
        axis: What differs: pixels of an image, images of a batch, or the operations of the
            model on an image.
        words: What they have in common.
        at: Its values, growing.
        labels: How each is called.
        batches: Images of one call at each.
        operations: Of one call at each: what the arithmetic says.
        seconds: Of one call at each, by subject; None where it did not take part.
        peak: Bytes at each, by subject.
    """

    axis: Axis
    words: str
    at: list[float]
    labels: list[str]
    batches: list[int]
    operations: list[float]
    seconds: dict[str, list[float | None]]
    peak: dict[str, list[float | None]]

    def rates(self, subject: str) -> list[float | None]:
        """Images a second at each."""
        return [
            None if seconds is None else batch / seconds
            for seconds, batch in zip(self.seconds[subject], self.batches, strict=True)
        ]

    def exponent(self, subject: str) -> float | None:
        """The power of `at` with which a subject's time grows."""
        return slope(self.at, self.seconds[subject])

    @property
    def arithmetic(self) -> float:
        """The power of `at` with which the operations grow."""
        found = slope(self.at, self.operations)
        assert found is not None
        return found


def slope(x: Iterable[float], y: Iterable[float | None]) -> float | None:
    """Least squares' exponent of a power law; None for fewer than two points."""
    points = [(a, b) for a, b in zip(x, y, strict=True) if b is not None]
    if len(points) < 2:
        return None
    across, up = np.log(np.array(points)).T
    across = across - across.mean()
    return float((across * up).sum() / (across**2).sum())


def curves(results: Iterable[Mapping[str, Any]]) -> list[Curve]:
    """All curves of three points or more, of inference."""
    found = [r for r in results if "failed" not in r and r["case"]["work"] == "inference"]
    views: list[tuple[Axis, Callable[[Mapping[str, Any]], float], tuple[str, ...]]] = [
        ("pixels", lambda r: r["pixels"], ("model", "batch")),
        ("batch", lambda r: r["case"]["batch"], ("model", "image_size")),
        ("operations", lambda r: r["flops"], ("batch", "image_size")),
    ]
    drawn: list[Curve] = []
    for axis, value, fixed in views:
        groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for result in found:
            case = result["case"]
            alike = (*fixed, "precision", "mode", "device", "threads")
            groups.setdefault(tuple(case[name] for name in alike), []).append(result)
        for group in groups.values():
            points = sorted({value(r): r for r in group}.items())
            if len(points) >= _FEWEST:
                drawn.append(_curve(axis, fixed, points))
    return drawn


def _curve(
    axis: Axis, fixed: tuple[str, ...], points: list[tuple[float, Mapping[str, Any]]]
) -> Curve:
    summaries = [summarise(result) for _, result in points]
    cases = [summary.case for summary in summaries]
    names = dict.fromkeys(name for summary in summaries for name in summary.rates)
    return Curve(
        axis=axis,
        words=_words(cases[0], fixed),
        at=[float(at) for at, _ in points],
        labels=[_label(axis, result) for _, result in points],
        batches=[summary.case.batch for summary in summaries],
        operations=[float(result["flops"]) * result["case"]["batch"] for _, result in points],
        seconds={
            name: [s.case.batch / s.rates[name] if name in s.rates else None for s in summaries]
            for name in names
        },
        peak={
            name: [float(s.peak[name]) if name in s.peak else None for s in summaries]
            for name in names
        },
    )


def _words(case: Case, fixed: tuple[str, ...]) -> str:
    parts = {
        "model": case.model,
        "batch": f"batch {case.batch}",
        "image_size": f"{case.image_size} pixels" if case.image_size else "",
    }
    said = [parts[name] for name in fixed] + [case.precision, case.mode, case.device]
    return ", ".join(filter(None, said))


def _label(axis: Axis, result: Mapping[str, Any]) -> str:
    if axis == "pixels":
        return str(round(result["pixels"] ** 0.5))
    return str(result["case"]["batch" if axis == "batch" else "model"])
