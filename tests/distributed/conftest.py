import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
# Every source of randomness but dropout, whose masks belong to a rank.
TINY = (
    "digits --batch_size 48 --micro_batch 16 --model.width 16 --model.mlp_width 32 "
    "--model.heads 2 --model.depth 2 --model.dropout 0 --model.stochastic_depth 0 --average 0.9 "
    "--log_every 1 --precision float32"
).split()


@dataclass
class Run:
    """The processes of one run, started as torchrun starts them."""

    folder: Path
    processes: list[subprocess.Popen[str]]

    def wait(self) -> list[tuple[int, str]]:
        """Exit code and stderr of each rank."""
        outputs = [process.communicate(timeout=200)[1] for process in self.processes]
        return [(p.returncode, err) for p, err in zip(self.processes, outputs, strict=True)]

    def finish(self) -> "Run":
        """Wait, and insist on success."""
        told = self.wait()
        assert not any(code for code, _ in told), told
        return self

    def history(self, name: str) -> dict[int, float]:
        """A measure by step."""
        lines = map(json.loads, (self.folder / "metrics.jsonl").read_text().splitlines())
        return {line["step"]: line[name] for line in lines if name in line}


Launch = Callable[..., Run]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts `vitreous train` in so many processes; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(
        ranks: int,
        name: str,
        *options: object,
        restarts: int = 0,
        module: Sequence[object] = ("-m", "vitreous"),
        tiny: Sequence[object] = TINY,
    ) -> Run:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, *module, "train", *tiny, "--out", tmp_path / name]
        environment = os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
        if ranks > 1:
            environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            environment |= {"WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks)}
            environment |= {"TORCHELASTIC_RESTART_COUNT": str(restarts)}
        processes = [
            subprocess.Popen(
                [str(part) for part in (*command, *options)],
                env=environment | ({"RANK": str(r), "LOCAL_RANK": str(r)} if ranks > 1 else {}),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for r in range(ranks)
        ]
        started.extend(processes)
        return Run(tmp_path / name, processes)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
