"""Interleaved timing: A B A B, and ratios round by round."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch


@dataclass(frozen=True)
class Timing:
    """One subject's rounds.

    Attributes:
        seconds: Of one call, by round: by the clock, on CUDA between events of the device.
        processor_seconds: Of one call, by round: of all threads of its process. Other programs
            on the machine change it less than the clock.
        calls: How many calls a round had.
    """

    seconds: list[float]
    processor_seconds: list[float]
    calls: int


@dataclass(frozen=True)
class Ratio:
    """Of two subjects, over the rounds.

    Attributes:
        median: Middle one.
        low: First quartile.
        high: Third quartile.
    """

    median: float
    low: float
    high: float


def interleave(
    runs: Mapping[str, Callable[[], object]], rounds: int, least_seconds: float = 0.0
) -> dict[str, Timing]:
    """Time each run on the CPU in each round, in turns, in this process; see `take_turns`."""
    turns = {name: partial(time_calls, run) for name, run in runs.items()}
    return take_turns(turns, rounds, least_seconds)


def take_turns(
    turns: Mapping[str, Callable[[int], tuple[float, float]]],
    rounds: int,
    least_seconds: float = 0.0,
    told: Callable[[float], None] = lambda share: None,
) -> dict[str, Timing]:
    """Have each take its turn in each round, after two calls to warm up.

    Args:
        turns: By name: makes so many calls, and says the seconds of one, by the clock and by the
            processor.
        rounds: How many.
        least_seconds: A shorter call is made so often in each round that these take as long.
        told: Of the share of the rounds that is done.
    """
    calls: dict[str, int] = {}
    for name, turn in turns.items():
        turn(1)
        alone = turn(1)[0]
        calls[name] = max(1, math.ceil(least_seconds / max(alone, 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    processor: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds):
        for name, turn in turns.items():
            by_clock, by_processor = turn(calls[name])
            seconds[name].append(by_clock)
            processor[name].append(by_processor)
        told((number + 1) / rounds)
    return {name: Timing(seconds[name], processor[name], calls[name]) for name in turns}


def time_calls(run: Callable[[], object], calls: int, device: str = "cpu") -> tuple[float, float]:
    """Seconds of one call out of some, by the clock or the device's events, and of the processor.

    Args:
        run: The call.
        calls: How many.
        device: Whose work is waited for.
    """
    events = torch.device(device).type == "cuda"
    if events:
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begun.record()
    clock, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        run()
    if events:
        ended.record()
        torch.cuda.synchronize()
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    if events:
        clock = begun.elapsed_time(ended) / 1000
    return clock / calls, processor / calls


def ratio_of(slow: Sequence[float], fast: Sequence[float]) -> Ratio:
    """How many times the first one's seconds are the second one's, within each round."""
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    if len(ratios) == 1:
        return Ratio(ratios[0], ratios[0], ratios[0])
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Ratio(middle, low, high)
