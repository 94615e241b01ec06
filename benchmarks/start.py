"""Seconds until `vitreous --help` and every verb's help have been printed.

python benchmarks/start.py
"""

import statistics
import subprocess
import sys
import time

from vitreous.bench.machine import where
from vitreous.cli.main import VERBS


def main() -> None:
    print(where())
    print("\n| command | median of 7, s |\n|---|---|")
    for verb in ([], *([verb] for verb in VERBS)):
        seconds = []
        for _ in range(7):
            begin = time.perf_counter()
            command = [sys.executable, "-m", "vitreous", *verb, "--help"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - begin)
        print(f"| vitreous {' '.join([*verb, '--help'])} | {statistics.median(seconds):.2f} |")


if __name__ == "__main__":
    main()
