"""Cases one after the other, each in a process of its own; what was measured is kept."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vitreous.bench.case import Case
from vitreous.bench.contestant import KILLED
from vitreous.bench.machine import machine, software
from vitreous.bench.roster import version_of
from vitreous.bench.worker import MARK, heading
from vitreous.durable import write_text
from vitreous.errors import UserError

Results = dict[str, dict[str, Any]]
"""What `worker.measure` returned, or `failed` and why in place of subjects, by the case's key."""

_MOST_WORDS = 300


class Store:
    """The results of a folder, written after every case.

    Args:
        file: JSON; made when first written.

    Raises:
        UserError: The file is there and holds something else.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.results: Results = {}
        if os.path.exists(file):  # of a folder that may not be looked into, writing tells
            try:
                self.results = json.loads(file.read_text(encoding="utf-8"))["cases"]
                self.results = {Case(**r["case"]).key: r for r in self.results.values()}
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise UserError(
                    f"{file} holds no results of bench: move it away, or choose another --out"
                ) from error

    def has(self, case: Case, subjects: Sequence[str], rounds: int) -> bool:
        """Whether a case was measured here: this machine, these versions, this commit.

        One whose process was killed was not, nor one with a subject that was not asked for then, or
        whose package has come, gone or changed.
        """
        known = self.results.get(case.key)
        return (
            known is not None
            and known["where"] == machine(case.device, case.threads)
            and known["software"] == software()
            and known["rounds"] >= rounds
            and not _was_killed(known, subjects)
            and {name: version_of(name) for name in subjects}.items()
            <= known.get("packages", {}).items()
        )

    def keep(self, case: Case, result: dict[str, Any]) -> None:
        """Put a result in its place and write the file."""
        self.results[case.key] = result
        self.write()

    def write(self) -> None:
        """Write the file; also before anything is measured, to learn whether it can be.

        Raises:
            UserError: No room or no right to write there.
        """
        write_text(self.file, json.dumps({"cases": self.results}, indent=1) + "\n")


def _was_killed(known: dict[str, Any], subjects: Sequence[str]) -> bool:
    """The case or one of some subjects, which another time may bear."""
    said = known.get("subjects", {})
    reasons = [known.get("failed", "")]
    reasons += [said[name].get("left_out", "") for name in subjects if name in said]
    return any(reason.startswith(KILLED) for reason in reasons)


def run_case(
    case: Case,
    subjects: Sequence[str],
    rounds: int,
    told: Callable[[str], None] = lambda words: None,
) -> dict[str, Any]:
    """Measure in a process that may die.

    Args:
        case: What to do.
        subjects: Who, in the order of their turns.
        rounds: Turns of each.
        told: What it is doing.

    Returns:
        See `worker.measure`; where the process ended before its result, `failed` says why.
    """
    request = {"case": case.to_dict(), "subjects": list(subjects), "rounds": rounds}
    with tempfile.TemporaryDirectory(prefix="vitreous-bench-") as folder:
        file = Path(folder) / "result.json"
        command = [sys.executable, "-m", "vitreous.bench.worker", str(file)]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command,
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=pipe,
            text=True,
            errors="replace",
        ) as process:
            try:
                said, doing = _follow(process, json.dumps(request), told)
                code = process.wait()
            except BaseException:  # Ctrl-C above all
                process.kill()
                raise
        if code == 0:
            result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return result
    reason = said[-1][:_MOST_WORDS] if said else f"exit code {code}"
    if code == -signal.SIGKILL:
        reason = f"{KILLED}, most likely for want of memory"
    return heading(case, subjects, rounds) | {"failed": f"{reason} (while {doing})"}


def _follow(
    process: "subprocess.Popen[str]", request: str, told: Callable[[str], None]
) -> tuple[list[str], str]:
    """Hand the request over and listen until the end: the last lines, and what was being done."""
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        process.stdin.write(request)
        process.stdin.close()
    except BrokenPipeError:  # it has died already, and says why below
        pass
    said: list[str] = []
    doing = "starting"
    for line in process.stderr:
        words = line.strip()
        if words.startswith(MARK):
            doing = words.removeprefix(MARK)
            told(doing)
        elif words:
            said = [*said[-20:], words]
    return said, doing
