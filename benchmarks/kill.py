"""Kills training runs with SIGKILL at random moments and compares what they end with.

python benchmarks/kill.py
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from vitreous.bench.machine import where
from vitreous.train.verify import verify_resume

RUN = (
    "digits --batch_size 32 --micro_batch 8 --model.width 16 --model.mlp_width 32 "
    "--model.heads 2 --model.depth 2 --average 0.9 --precision float32"
).split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--strategy", default="ddp", choices=("ddp", "fsdp"))
    parser.add_argument("--steps", default="300")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(where())
    for processes in options.processes:
        launcher = [sys.executable, "-m"]
        if processes > 1:
            torchrun = "torch.distributed.run --standalone --nproc-per-node"
            launcher += [*torchrun.split(), str(processes), "-m"]
        kills = different = runs = 0
        while kills < options.kills:
            with tempfile.TemporaryDirectory() as folder:
                proof = verify_resume(
                    [*RUN, "--steps", options.steps, "--parallel.strategy", options.strategy],
                    Path(folder) / "run",
                    kills=options.kills - kills,
                    seed=kills,
                    launcher=launcher,
                    say=lambda line: print(" ", line, flush=True),
                )
            kills += len(proof.kills)
            runs += 1
            different += not proof.equal
            print(f"  {proof.uninterrupted[:16]} {proof.resumed[:16]}", flush=True)
        print(
            f"{processes} process(es), {options.strategy}: {kills} kills over {runs} runs, "
            f"{different} with other weights than uninterrupted"
        )


if __name__ == "__main__":
    main()
