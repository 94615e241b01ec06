"""Whether what the paper found has come out again, told by the spread over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from vitreous.experiments.results import Cell

Verdict = Literal["holds", "does not hold", "not shown"]

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Finding:
    """One claim of the paper, and what these results say of it.

    Attributes:
        claim: In a sentence.
        verdict: `not shown` where the difference is within the spread.
        why: The numbers that decided.
    """

    claim: str
    verdict: Verdict
    why: str


def difference(a: Cell, b: Cell) -> tuple[float, float, float]:
    """The mean of a less that of b, with its 95 % interval.

    Welch's: the variances of the two need not be equal. Cells of one seed have no spread, and an
    interval without ends.

    Returns:
        The difference, the lower and the upper end.

    Source:
        Welch, Biometrika 34 (1947), with Satterthwaite's degrees of freedom.
    """
    gap = a.mean - b.mean
    if min(len(a.values), len(b.values)) < 2:
        return gap, float("-inf"), float("inf")
    shares = [(cell.spread**2 / len(cell.values), len(cell.values) - 1) for cell in (a, b)]
    variance = sum(share for share, _ in shares)
    if not variance:
        return gap, gap, gap
    freedom = variance**2 / sum(share**2 / degrees for share, degrees in shares)
    half = float(stats.t.ppf((1 + _CONFIDENCE) / 2, freedom)) * variance**0.5
    return gap, gap - half, gap + half


def higher(claim: str, a: Cell, b: Cell, *, points: bool = True) -> Finding:
    """The claim that a is higher than b.

    Args:
        claim: In a sentence.
        a: Claimed to be higher.
        b: Claimed to be lower.
        points: Whether the values are shares, and the difference is told in percentage points.
    """
    gap, low, high = difference(a, b)
    return Finding(claim, _sign(low, high), _told(gap, low, high, points))


def higher_than_all(claim: str, others: Sequence[Cell], low: Cell) -> Finding:
    """The claim that one cell is lower than each of the others: the worst for it of them decides.

    That is one for which the claim does not hold, else the one whose interval reaches lowest: a
    mean far above says little where seeds differ much.
    """

    def place(other: Cell) -> tuple[bool, float, float]:
        _, low_end, high_end = difference(other, low)
        return high_end >= 0, low_end, other.mean

    return higher(claim, min(others, key=place), low)


def alike(claim: str, cells: Sequence[Cell], *, margin: float) -> Finding:
    """The claim that nothing sets some cells apart.

    It does not hold where an analysis of variance tells them apart (p < 0.05) and the largest
    difference of two means is over the margin. It is not shown where the means differ by more
    than the margin, but no more than seeds do; nor where they do not, but the seeds of a cell
    have a standard deviation of over twice the margin: means so loose agree by chance.

    Args:
        claim: In a sentence.
        cells: Two or more.
        margin: The largest difference that is none to speak of.
    """
    means = [cell.mean for cell in cells]
    gap = max(means) - min(means)
    told = f"the largest difference of two is {100 * gap:.2f} points"
    if min(len(cell.values) for cell in cells) < 2:
        return Finding(claim, "not shown", f"{told}; one seed has no spread")
    if any(cell.spread for cell in cells):
        p = float(stats.f_oneway(*(cell.values for cell in cells)).pvalue)
    else:
        p = 0.0 if gap else 1.0
    told += f" (margin {100 * margin:.2f}), and an analysis of variance has p = {p:.2g}"
    if gap <= margin:
        spread = max(cell.spread for cell in cells)
        if spread > 2 * margin:
            told += f"; the largest spread over seeds is {100 * spread:.2f} points"
            return Finding(claim, "not shown", told)
        return Finding(claim, "holds", told)
    return Finding(claim, "does not hold" if p < 1 - _CONFIDENCE else "not shown", told)


def overall(findings: Sequence[Finding]) -> Verdict:
    """All hold; one does not; or something in between."""
    verdicts = {finding.verdict for finding in findings}
    if verdicts <= {"holds"}:
        return "holds"
    return "does not hold" if "does not hold" in verdicts else "not shown"


def _sign(low: float, high: float) -> Verdict:
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 else "not shown"


def _told(gap: float, low: float, high: float, points: bool) -> str:
    scale, unit = (100, " points") if points else (1, "")
    told = f"{scale * gap:+.2f}{unit}"
    if low == float("-inf"):
        return f"{told}; one seed has no spread"
    return f"{told} (95 %: {scale * low:+.2f} to {scale * high:+.2f})"
