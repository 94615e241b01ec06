"""The same work with freed memory kept and given back, each in a process of its own, by turns.

python benchmarks/host_memory.py --rounds 9
"""

import argparse
import multiprocessing
import os
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection

from vitreous.bench.case import Case
from vitreous.bench.entrant import enter
from vitreous.bench.machine import where
from vitreous.bench.measure import ratio_of, take_turns, time_calls
from vitreous.parallel.host_memory import keep_freed_memory

CASES = (
    Case(work="training", model="ViT-S/16", precision="float32", batch=16),
    Case(work="training", model="ViT-S/16", precision="bfloat16", batch=16),
    Case(work="training", model="ViT-B/16", precision="bfloat16", batch=16),
    Case(work="inference", model="ViT-S/16", precision="float32", batch=64),
    Case(work="inference", model="ViT-B/16", precision="float32", batch=32),
)


def serve(wire: Connection, case: Case, keep: bool) -> None:
    """Work by turns; say the seconds, and the pages that the system cleared meanwhile."""
    if not keep:
        os.environ["MALLOC_MMAP_MAX_"] = "65536"  # whoever has settings is left alone
    assert keep_freed_memory() == keep
    job, _ = enter("vitreous", case)
    while calls := wire.recv():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        seconds, _ = time_calls(job.run, calls)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        wire.send((seconds, faults / calls))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print(where())
    print("\n| work | given back, s | kept, s | x | pages cleared a call: given back | kept |")
    print("|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for case in CASES:
        turns: dict[str, Callable[[int], tuple[float, float]]] = {}
        wires, processes = [], []
        for name, keep in (("given back", False), ("kept", True)):
            wire, other = context.Pipe()
            process = context.Process(target=serve, args=(other, case, keep), daemon=True)
            process.start()

            def turn(calls: int, wire: Connection = wire) -> tuple[float, float]:
                wire.send(calls)
                seconds, faults = wire.recv()
                return seconds, faults

            turns[name] = turn
            wires.append(wire)
            processes.append(process)
        # What stands in the place of processor seconds are the pages.
        timings = take_turns(turns, rounds)
        for wire, process in zip(wires, processes, strict=True):
            wire.send(0)
            process.join()
        back, kept = timings["given back"], timings["kept"]
        ratio = ratio_of(back.seconds, kept.seconds)
        middle = [sorted(values)[rounds // 2] for values in (back.seconds, kept.seconds)]
        pages = [sorted(t.processor_seconds)[rounds // 2] for t in (back, kept)]
        print(
            f"| {case.work}, {case.model}, {case.precision}, batch {case.batch} "
            f"| {middle[0]:.2f} | {middle[1]:.2f} "
            f"| **{ratio.median:.2f}** ({ratio.low:.2f} to {ratio.high:.2f}) "
            f"| {pages[0]:,.0f} | {pages[1]:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
