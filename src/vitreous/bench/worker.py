"""One case in a process of its own: `python -m vitreous.bench.worker RESULT`, the request on stdin.

What it is doing is told on stderr, in lines that begin with `MARK`.
"""

import json
import math
import sys
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from vitreous.bench.case import Case
from vitreous.bench.contestant import Contestant
from vitreous.bench.entrant import NO_PRODUCTS, PRODUCTS, conditions
from vitreous.bench.limits import memory_bandwidth
from vitreous.bench.machine import machine, software
from vitreous.bench.measure import take_turns
from vitreous.bench.plan import config_of
from vitreous.bench.roster import version_of
from vitreous.bench.subject import LeftOutError
from vitreous.durable import write_text
from vitreous.model.cost import count_parameters, multiply_adds

MARK = "bench: "

_LEAST_SECONDS = 0.1  # of a round: below it the clock and other programs say too much


def main() -> None:
    """Read the request, measure, write the result."""
    with suppress(OSError):  # short of memory, this process goes and not the one that reports
        Path("/proc/self/oom_score_adj").write_text("1000")
    warnings.simplefilter("ignore")
    request = json.loads(sys.stdin.read())
    result = measure(Case(**request["case"]), request["subjects"], request["rounds"])
    write_text(Path(sys.argv[1]), json.dumps(result))


def measure(case: Case, names: list[str], rounds: int) -> dict[str, Any]:
    """Build, compare, time: each subject in a process of its own, where nobody's choices touch it.

    Args:
        case: What to do.
        names: Subjects, in the order of their turns.
        rounds: How many turns each has.

    Returns:
        A dictionary that `json.dumps` takes: what `heading` says;
        `parameters`, `flops` of one image's forward pass, `bandwidth` (bytes a second);
        `products`, the bare ones' `flops` and seconds by round, or None;
        and `subjects`, by name: seconds by round, memory in bytes, the difference of logits; or
        `left_out`, and why.

    Raises:
        UserError: The case's model cannot be made.
    """
    config = config_of(case)
    height, width = config.image_size
    with conditions(case):
        bandwidth = memory_bandwidth(case.device)
    found: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        entered: dict[str, Contestant] = {}
        for name in (*names, PRODUCTS):
            tell(f"making {name} ready")
            try:
                entered[name] = stack.enter_context(closing(Contestant(name, case)))
                found[name] = entered[name].said
            except LeftOutError as reason:
                found[name] = {"left_out": str(reason)}
        tell("timing 0%")
        turns = {name: partial(_turn, one, found[name]) for name, one in entered.items()}
        timings = take_turns(turns, rounds, _LEAST_SECONDS, _tell_share)
    for name, timing in timings.items():
        if "left_out" not in found[name]:
            found[name] |= asdict(timing)
    products = found.pop(PRODUCTS)
    if (why := products.get("left_out", NO_PRODUCTS)) != NO_PRODUCTS:
        sys.exit(f"{why} ({PRODUCTS})")
    return {
        **heading(case, names, rounds),
        "parameters": count_parameters(config),
        "flops": 2 * multiply_adds(config),
        "pixels": height * width,
        "bandwidth": bandwidth,
        "products": None if "left_out" in products else products,
        "subjects": found,
    }


def _turn(contestant: Contestant, said: dict[str, Any], calls: int) -> tuple[float, float]:
    """Its seconds; of one that can no more, none that count, and why is put into what is said."""
    if "left_out" not in said:
        try:
            return contestant.turn(calls)
        except LeftOutError as reason:
            said.clear()
            said["left_out"] = str(reason)
    return math.inf, math.inf


def _tell_share(share: float) -> None:
    tell(f"timing {share:.0%}")


def heading(case: Case, names: Sequence[str], rounds: int) -> dict[str, Any]:
    """What is kept of a case whatever comes of it: what was asked for, where, when and of whom.

    Args:
        case: What to do.
        names: Subjects; `packages` has the version of each, None where it is not installed.
        rounds: How many turns each has.
    """
    return {
        "case": case.to_dict(),
        "where": machine(case.device, case.threads),
        "software": software(),
        "packages": {name: version_of(name) for name in names},
        "date": str(date.today()),
        "rounds": rounds,
    }


def tell(words: str) -> None:
    """Say what is being done to whoever started this process."""
    print(f"{MARK}{words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
