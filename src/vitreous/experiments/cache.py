"""Finished trials on disk, shared by all experiments: nothing is trained twice."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from vitreous.durable import exclusive, write_text
from vitreous.errors import UserError
from vitreous.experiments.results import Outcome
from vitreous.experiments.trial import Trial


class TrialCache:
    """A folder of trials, each in a folder named by its digest.

    `key.json` there says what decided the result, and `outcome.json`, written last, what it is.
    Another machine's result is taken as equal: it follows the same law, though another number of
    threads, device or precision, which the facts of a training have, gives other bits.

    Args:
        folder: Made when the first trial is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, trial: Trial) -> Path:
        """The folder of a trial, begun or not."""
        return self.folder / trial.digest

    def read(self, trial: Trial) -> Outcome | None:
        """The outcome of a finished trial.

        Raises:
            UserError: The file was damaged, or the cache's folder is a file.
        """
        try:
            return read_outcome(self.place(trial))
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise UserError(f"{self.folder} cannot be a folder: a file is in the way") from error

    @contextmanager
    def claimed(self, trial: Trial) -> Iterator[bool]:
        """Keep other processes from running a trial; says whether it is free for this one."""
        with exclusive(self.place(trial) / ".claim") as holder:
            yield holder is None

    def run(self, trial: Trial) -> Outcome:
        """Run a trial whose needs are finished, and remember its outcome.

        Raises:
            StoppedError: It was asked to stop; the next run goes on from there.
        """
        folder = self.place(trial)
        key = {"seed": trial.seed, "key": trial.key}
        write_text(folder / "key.json", json.dumps(key, indent=1, default=list) + "\n")
        begin = time.perf_counter()
        outcome = trial.run(folder, self.place)
        # A resumed trial knows its own time better.
        outcome = replace(outcome, seconds=outcome.seconds or time.perf_counter() - begin)
        write_text(folder / "outcome.json", json.dumps(asdict(outcome), indent=1) + "\n")
        return outcome

    def whole(self, trial: Trial) -> Outcome:
        """The outcome of a finished trial, at the cost of all that it was made from."""
        outcome = self.read(trial)
        assert outcome is not None, "the trial is finished"
        before = [self.whole(needed) for needed in trial.needs]
        return replace(
            outcome,
            seconds=outcome.seconds + sum(one.seconds for one in before),
            flops=outcome.flops + sum(one.flops for one in before),
        )


def read_outcome(folder: Path) -> Outcome:
    """What a finished trial has left in its folder.

    Raises:
        FileNotFoundError: It is not finished.
        NotADirectoryError: A file is where a folder should be.
        UserError: The file was damaged.
    """
    file = folder / "outcome.json"
    try:
        return Outcome(**json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{file} cannot be read ({error}): delete it, and run again") from error


def in_order(trials: Iterable[Trial]) -> Iterator[Trial]:
    """Each different trial once, behind those that it needs."""
    seen: set[str] = set()

    def walk(trial: Trial) -> Iterator[Trial]:
        if trial.digest in seen:
            return
        seen.add(trial.digest)
        for needed in trial.needs:
            yield from walk(needed)
        yield trial

    for trial in trials:
        yield from walk(trial)
