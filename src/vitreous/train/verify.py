"""Proof that a run survives being killed: two runs, one of them killed, the same bytes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vitreous.durable import sha256
from vitreous.errors import UserError
from vitreous.train.measure import read_history
from vitreous.train.run_folder import RunFolder


@dataclass(frozen=True)
class Proof:
    """What came of it.

    Attributes:
        kills: For each kill, seconds after the attempt's first new state, and the step of the
            newest state on disk.
        uninterrupted: SHA-256 of the uninterrupted run's model.safetensors.
        resumed: The same of the run that was killed.
    """

    kills: tuple[tuple[float, int], ...]
    uninterrupted: str
    resumed: str

    @property
    def equal(self) -> bool:
        """Whether both runs gave the same bytes."""
        return self.uninterrupted == self.resumed


def verify_resume(
    arguments: Sequence[str],
    out: Path,
    *,
    kills: int = 1,
    seed: int | None = None,
    launcher: Sequence[str] = (sys.executable, "-m"),
    say: Callable[[str], None] = print,
) -> Proof:
    """Train twice, kill the second run with SIGKILL on its way, resume it, and compare.

    The run that was killed stays as `out`; the other lies beside it while it is needed.

    Args:
        arguments: Of `vitreous train`, without --out and --resume.
        out: The run folder, which must be free.
        kills: How often at most; a run that comes to its end before is not killed again.
        seed: Of the moments, which lie after an attempt's first new state, anywhere in the time
            that the uninterrupted run took for its steps.
        launcher: What starts a Python module; torchrun for several processes.
        say: Takes a line about each part.

    Raises:
        UserError: The folder is taken, or the run fails even when it is left alone.
    """
    if out.exists():
        raise UserError(f"--out {out} exists: choose another")
    whole = out.with_name(f".{out.name}.uninterrupted")
    shutil.rmtree(whole, ignore_errors=True)
    command = [*launcher, "vitreous", "train", *arguments]
    cut = [*command, "--out", str(out), "--resume", "--checkpoint_seconds", "0"]
    draw, killed = random.Random(seed), list[tuple[float, int]]()
    try:
        _run([*command, "--out", str(whole)])
        seconds = _seconds(whole)
        say(f"uninterrupted: {seconds:.1f} s of steps")
        while len(killed) < kills and not (out / "model.safetensors").is_file():
            moment = draw.uniform(0, seconds)
            if _killed(cut, out, moment):
                killed.append((moment, _newest_step(out)))
                say(f"killed after {moment:.2f} s, state of step {killed[-1][1]} on disk")
        _run(cut)
        first, second = (sha256(folder / "model.safetensors") for folder in (whole, out))
    finally:
        shutil.rmtree(whole, ignore_errors=True)
    return Proof(tuple(killed), first, second)


def _seconds(run: Path) -> float:
    """That a run took for its steps; from its log where nothing was measured in the end."""
    report = run / "report.json"
    told = json.loads(report.read_text()) if report.is_file() else {}
    if "seconds" in told:
        return float(told["seconds"])
    return 3600 * float(read_history(run / "metrics.jsonl")[-1]["device_hours"])


def _run(command: Sequence[str]) -> None:
    """Run a command to its end.

    Raises:
        UserError: It failed; gives its last line.
    """
    with _started(command) as process:
        _, said = process.communicate()
    _check(process, said)


def _killed(command: Sequence[str], out: Path, moment: float) -> bool:
    """Kill a command so long after its first new state; False where it ended before.

    Raises:
        UserError: It failed by itself; gives its last line.
    """
    before = _newest_step(out)
    with _started(command) as process:
        while process.poll() is None and _newest_step(out) == before:
            time.sleep(0.01)
        try:
            _, said = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            return True
    _check(process, said)
    return False


@contextmanager
def _started(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A command of which nothing outlives the context, its children included.

    torchrun puts each worker into a session of its own: killing its group would leave them
    training, and a kill would prove nothing.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            family = _family(process.pid)
            for member in family:
                with suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
            process.communicate()


def _family(parent: int) -> list[int]:
    """A process, its children and theirs, parents first; on Linux, elsewhere the process alone."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    try:
        found = [int(text) for text in children.read_text().split()]
    except OSError:
        found = []
    return [parent, *(member for child in found for member in _family(child))]


def _check(process: subprocess.Popen[str], said: str) -> None:
    if process.returncode:
        lines = said.strip().splitlines() or [f"exit code {process.returncode}"]
        raise UserError(f"the run fails without being killed: {lines[-1]}")


def _newest_step(run: Path) -> int:
    return RunFolder(run).checkpoints.newest
