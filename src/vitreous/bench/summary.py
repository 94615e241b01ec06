"""From rounds to what is said of a case: medians, ratios, shares."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vitreous.bench.case import Case
from vitreous.bench.measure import Ratio, ratio_of
from vitreous.bench.roster import OURS

# Forward, and twice as much on the way back.
_STEP_OPERATIONS = 3
_BYTES = {"float32": 4, "bfloat16": 2, "int8": 1, "float8": 1}


@dataclass(frozen=True)
class Summary:
    """What one case shows.

    Attributes:
        case: What was done.
        commit: Of our code, `+` where it was changed; empty where it was not written down.
        rates: Images a second of each subject that took part: its median.
        ratios: How many times as fast as each peer we are, by the clock.
        processor_ratios: The same by processor time; of a GPU it says nothing.
        shares: Of the rate of the bare products, by subject. Operations are counted as the
            literature does, all tokens through all blocks: who computes less can pass 1.
        reading: The least time to read the weights once from memory, as a share of the time
            of a call, by subject.
        peak: Bytes, by subject.
        left_out: Who did not take part, and why.
    """

    case: Case
    commit: str
    rates: dict[str, float]
    ratios: dict[str, Ratio]
    processor_ratios: dict[str, Ratio]
    shares: dict[str, float]
    reading: dict[str, float]
    peak: dict[str, int]
    left_out: dict[str, str]

    @property
    def best_peer(self) -> str | None:
        """The one that we are ahead of by least, or the fastest where we do not take part."""
        if self.ratios:
            return min(self.ratios, key=lambda name: self.ratios[name].median)
        peers = {name: rate for name, rate in self.rates.items() if name != OURS}
        return max(peers, key=peers.__getitem__) if peers else None

    @property
    def processor_ratio(self) -> Ratio | None:
        """The least of those by processor time: of the peer that takes least of it."""
        ratios = self.processor_ratios.values()
        return min(ratios, key=lambda ratio: ratio.median, default=None)


def summarise(result: Mapping[str, Any]) -> Summary:
    """Say what a result of `worker.measure` shows."""
    case = Case(**result["case"])
    subjects = {n: s for n, s in result["subjects"].items() if "left_out" not in s}
    ours = subjects.get(OURS)
    peers = {n: s for n, s in subjects.items() if n != OURS} if ours else {}
    return Summary(
        case=case,
        commit=result["software"].partition("; commit ")[2],
        rates={n: case.batch / statistics.median(s["seconds"]) for n, s in subjects.items()},
        ratios={n: ratio_of(s["seconds"], ours["seconds"]) for n, s in peers.items() if ours},
        processor_ratios={
            n: ratio_of(s["processor_seconds"], ours["processor_seconds"])
            for n, s in peers.items()
            if ours
        },
        shares=_shares(result, case, subjects),
        reading={
            n: _weights_bytes(result, s) / result["bandwidth"] / statistics.median(s["seconds"])
            for n, s in subjects.items()
        },
        peak={n: s["peak_bytes"] for n, s in subjects.items() if s["peak_bytes"] is not None},
        left_out={n: s["left_out"] for n, s in result["subjects"].items() if "left_out" in s},
    )


def _weights_bytes(result: Mapping[str, Any], subject: Mapping[str, Any]) -> int:
    return int(result["parameters"]) * _BYTES[subject["precision"]]


def _shares(
    result: Mapping[str, Any], case: Case, subjects: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    products = result["products"]
    if products is None or case.work == "default":  # there, subjects differ in precision
        return {}
    operations = result["flops"] * case.batch * (_STEP_OPERATIONS if case.work == "training" else 1)
    return {
        name: operations
        / products["flops"]
        * ratio_of(products["seconds"], subject["seconds"]).median
        for name, subject in subjects.items()
    }
