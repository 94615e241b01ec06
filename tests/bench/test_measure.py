"""Turns, ratios, memory."""

import time
from functools import partial

import pytest
import torch

from vitreous.bench.machine import machine, where
from vitreous.bench.measure import interleave, ratio_of, take_turns, time_calls
from vitreous.bench.memory import bytes_of, working_memory


def test_runs_take_turns() -> None:
    order: list[str] = []
    shares: list[float] = []
    runs = {name: (lambda name=name: order.append(name)) for name in "ab"}
    turns = {name: partial(time_calls, run) for name, run in runs.items()}
    timings = take_turns(turns, 3, told=shares.append)
    assert "".join(order) == "aabb" + "ab" * 3  # a call and a first measurement, then the rounds
    assert [len(timings[name].seconds) for name in "ab"] == [3, 3]
    assert shares == pytest.approx([1 / 3, 2 / 3, 1])


def test_a_short_run_is_called_often_enough() -> None:
    timing = interleave({"short": lambda: time.sleep(0.002)}, 1, least_seconds=0.02)["short"]
    assert 2 <= timing.calls <= 10
    assert 0.002 <= timing.seconds[0] < 0.02
    assert timing.processor_seconds[0] < timing.seconds[0]


def test_ratios_are_of_rounds() -> None:
    # The machine was half as fast in the second round: the ratio does not see it.
    ratio = ratio_of([2.0, 4.0, 3.0], [1.0, 2.0, 1.0])
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.5)
    assert ratio_of([3.0], [2.0]).median == 1.5


def test_memory_of_a_call() -> None:
    size = 64 * 2**20
    used = working_memory(lambda: torch.ones(size // 4).sum(), "cpu")
    if used is None:
        pytest.skip("this system does not say what a process held at most")
    assert 0.9 * size < used < 1.5 * size


def test_tensors_are_counted_once() -> None:
    one = torch.zeros(10)
    assert bytes_of([one, one, torch.zeros(3, dtype=torch.bfloat16)]) == 46


def test_where() -> None:
    assert machine(threads=1).endswith("1 thread")
    assert f"PyTorch {torch.__version__}" in where()
    assert "commit" in where()
