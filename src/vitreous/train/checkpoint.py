"""Resumable states on disk: complete or absent, the newest complete one wins.

A state is one safetensors file of whole tensors, whatever number of ranks made it and however
they shared it, so that any other number goes on with it. (PyTorch's own distributed checkpoints
are read by unpickling.) Ranks gather it tensor by tensor; the first one writes, in a thread.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vitreous.durable import write_durably
from vitreous.parallel.collect import decide, rank, whole
from vitreous.train.state import TrainingState

_NAME = re.compile(r"step-(\d{9})\.safetensors")


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
        self._writing: Future[None] | None = None

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
        path = self.folder / f"step-{state.step:09}.safetensors"
        copies = {}
        for name, tensor in state.tensors().items():
            full = whole(tensor)
            if rank() == 0:
                copies[name] = full.detach().to("cpu", copy=True).contiguous()
        if rank() == 0:
            writer = ThreadPoolExecutor(1, thread_name_prefix="vitreous-save")
            self._writing = writer.submit(self._write, path, copies, state.numbers())
            writer.shutdown(wait=False)
        return path

    def finish(self, *, wait: bool = True) -> None:
        """Wait until the last state is written.

        Args:
            wait: Or else only tell of a fault that has happened by now.

        Raises:
            UserError: It could not be.
        """
        if self._writing is not None and (wait or self._writing.done()):
            writing, self._writing = self._writing, None
            writing.result()

    def restore(self, state: TrainingState) -> list[str]:
        """Load the newest complete state, if there is one; for all ranks at once.

        Returns:
            A line for each newer file that was damaged and passed over.

        Raises:
            UserError: The state belongs to another model.
        """
        damaged, newest = decide(self._find)
        if newest is not None:
            state.restore(self._read(**newest), newest["numbers"])
        return damaged

    def __bool__(self) -> bool:
        return bool(self._complete())

    def _write(self, path: Path, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        header = {"state": json.dumps(numbers), "sha256": _digest(tensors)}
        write_durably(path, lambda aside: save_file(tensors, aside, metadata=header))
        for old in self._complete()[self.keep :]:
            if not self.every or _step(old) % self.every:
                old.unlink(missing_ok=True)

    def _find(self) -> tuple[list[str], dict[str, Any] | None]:
        """The newest state whose every byte is as it was written, and what was passed over."""
        damaged = []
        for path in self._complete():
            try:
                with safe_open(path, framework="pt") as archive:
                    header = archive.metadata()
                    tensors = {name: archive.get_tensor(name) for name in archive.keys()}
                numbers = json.loads(header["state"])
                if _digest(tensors) != header["sha256"]:
                    raise OSError("its tensors are not those that were written")
            except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
                damaged.append(f"{path.name} is damaged ({error})")
                continue
            kinds = {name: [str(t.dtype)[6:], list(t.shape)] for name, t in tensors.items()}
            if damaged:
                damaged[-1] += f": going on from {path.name}, the newest whole state"
            return damaged, {"path": str(path), "numbers": numbers, "kinds": kinds}
        if damaged:
            damaged[-1] += ": no whole state is left, and the run begins again at step 0"
        return damaged, None

    def _read(
        self, path: str, numbers: dict[str, float], kinds: dict[str, tuple[str, list[int]]]
    ) -> Iterator[tuple[str, Tensor]]:
        """Tensors one by one; blank ones of the same kind on all ranks but the first."""
        if rank():
            for name, (dtype, shape) in kinds.items():
                yield name, torch.empty(shape, dtype=getattr(torch, dtype))
            return
        with safe_open(path, framework="pt") as archive:
            for name in kinds:
                yield name, archive.get_tensor(name)

    def _complete(self) -> list[Path]:
        """Newest first; files still being written have other names."""
        if not self.folder.is_dir():
            return []
        return sorted((p for p in self.folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all names and bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
