"""Resumable states on disk: complete or absent, the newest complete one wins.

A state of weights that each rank holds whole is one safetensors file, which the first rank writes,
in a thread. One of weights spread over ranks is a folder of their shards (`train.shards`). Any
number of ranks goes on with either, however it shares the weights.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vitreous.durable import remove, sweep, write_durably
from vitreous.errors import UserError
from vitreous.parallel.collect import ToldElsewhereError, decide, is_spread, rank, spread
from vitreous.train.state import TrainingState

if TYPE_CHECKING:
    from vitreous.train.shards import Shards

_NAME = re.compile(r"step-\d{9}(\.safetensors)?")


class Checkpoints:
    """The states of one run, in one folder.

    Attributes:
        folder: Where they lie.
        keep: How many of the newest stay.
        every: States at multiples of so many steps stay as well; 0: none.
    """

    def __init__(self, folder: Path, *, keep: int = 2, every: int = 0) -> None:
        self.folder = folder
        self.keep = keep
        self.every = every
        self._writing: tuple[Path, Future[Any]] | None = None
        self._last: Path | None = None

    def save(self, state: TrainingState) -> Path:
        """Write the state, then drop older ones; a cut at any moment leaves a complete one.

        Raises:
            UserError: The disk is full or refuses; the states before are whole.
        """
        path = self.start(state)
        self.finish()
        return path

    def start(self, state: TrainingState) -> Path:
        """Copy the state to the host and write it while training goes on; for all ranks at once.

        Returns:
            Where it will be.

        Raises:
            UserError: The state before this one could not be written.
        """
        self.finish()
        tensors = state.tensors()
        shards = any(map(is_spread, tensors.values()))
        path = self.folder / f"step-{state.step:09}{'' if shards else '.safetensors'}"
        if path == self._last:  # as whole as it will be
            return path
        self._last = path
        if shards:
            writing = self._shards.start(path, tensors, state.numbers(), self._retire)
            self._writing = path, writing
        elif rank() == 0:
            copies = {
                name: tensor.detach().to("cpu", copy=True).contiguous()
                for name, tensor in tensors.items()
            }
            writer = ThreadPoolExecutor(1, thread_name_prefix="vitreous-save")
            self._writing = path, writer.submit(self._write, path, copies, state.numbers())
            writer.shutdown(wait=False)
        return path

    @property
    def failed(self) -> bool:
        """Whether the last state is known by now not to have been written."""
        if self._writing is None or not self._writing[1].done():
            return False
        return self._writing[1].exception() is not None

    def finish(self) -> None:
        """Wait until the last state is written.

        Raises:
            UserError: It could not be.
            ToldElsewhereError: The same, on ranks that wrote shards beside the first one.
        """
        if self._writing is None:
            return
        (path, writing), self._writing = self._writing, None
        if (fault := writing.exception()) is None:
            return
        from vitreous.train.shards import reason

        if rank() == 0:
            sweep(self.folder)
        told = reason(path, fault)
        if rank() and isinstance(told, UserError):
            raise ToldElsewhereError(str(told)) from fault
        raise told from fault

    def restore(self, state: TrainingState) -> list[str]:
        """Load the newest complete state, if there is one; for all ranks at once.

        Returns:
            A line for each newer one that was damaged and passed over.

        Raises:
            UserError: The state belongs to another model, or a rank cannot see it.
        """
        damaged = list[str]()
        for name in decide(lambda: [path.name for path in self._complete()]):
            path = self.folder / name
            shards = not path.suffix
            found = self._shards.check(path) if shards else decide(partial(_check, path))
            if not isinstance(found, str) and found[0].get("step") != _step(path):
                found = "its step is not that of its name"
            if isinstance(found, str):
                damaged.append(f"{name} is damaged ({found})")
                continue
            numbers, kinds = found
            targets = state.targets(kinds)
            if shards:
                self._shards.read(path, targets)
            else:
                for key, tensor in _whole_tensors(path, kinds):
                    targets[key].copy_(spread(tensor, targets[key]))
            state.go_on_from(numbers)
            if damaged:
                damaged[-1] += f": going on from {name}, the newest whole state"
            return damaged
        if damaged:
            damaged[-1] += ": no whole state is left, and the run begins again at step 0"
        return damaged

    @property
    def newest(self) -> int:
        """Step of the newest state; 0 where there is none."""
        return max(map(_step, self._complete()), default=0)

    def __bool__(self) -> bool:
        return bool(self._complete())

    @cached_property
    def _shards(self) -> "Shards":
        from vitreous.train.shards import Shards

        return Shards()

    def _write(self, path: Path, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        header = {"state": json.dumps(numbers), "sha256": _digest(tensors)}
        write_durably(path, lambda aside: save_file(tensors, aside, metadata=header))
        self._retire(path)

    def _retire(self, written: Path) -> None:
        """Drop what no rule keeps, now that a state is in place.

        What is there from later steps was damaged, or the run would have gone on from it.
        """
        step, states = _step(written), self._complete()
        older = [path for path in states if _step(path) < step]
        kept = {written, *older[: self.keep - 1]}
        if self.every:
            kept |= {path for path in older if _step(path) % self.every == 0}
        for path in states:
            if path not in kept:
                remove(path)

    def _complete(self) -> list[Path]:
        """Newest first; what is still being written has other names."""
        if not self.folder.is_dir():
            return []
        return sorted((p for p in self.folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)


def _check(path: Path) -> str | tuple[dict[str, float], dict[str, tuple[str, list[int]]]]:
    """The numbers of a state in one file, and dtype and shape of each tensor; or what is damaged.

    Every byte of the tensors is as it was written.
    """
    try:
        with safe_open(path, framework="pt") as archive:
            header = archive.metadata()
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}
        numbers = json.loads(header["state"])
        if _digest(tensors) != header["sha256"]:
            return "its tensors are not those that were written"
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        return str(error)
    return numbers, {name: (str(t.dtype)[6:], list(t.shape)) for name, t in tensors.items()}


def _whole_tensors(
    path: Path, kinds: dict[str, tuple[str, list[int]]]
) -> Iterator[tuple[str, Tensor]]:
    """Tensors of one file; blank ones of the same kind on all ranks but the first."""
    if rank():
        for name, (dtype, shape) in kinds.items():
            yield name, torch.empty(shape, dtype=getattr(torch, dtype))
        return
    with safe_open(path, framework="pt") as archive:
        for name in kinds:
            yield name, archive.get_tensor(name)


def _step(path: Path) -> int:
    return int(path.name[5:14])


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all names and bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
