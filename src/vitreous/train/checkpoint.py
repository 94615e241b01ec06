"""Resumable states on disk: complete or absent, the newest complete one wins."""

import json
import re
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vitreous.durable import write_durably
from vitreous.train.state import TrainingState

_NAME = re.compile(r"step-(\d{9})\.safetensors")
_KEPT = 2


class Checkpoints:
    """The states of one run, in one folder, the last two kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: TrainingState) -> Path:
        """Write the state, then drop older ones; a cut at any moment leaves a complete one.

        Raises:
            UserError: The disk is full or refuses; the states before are whole.
        """
        path = self.folder / f"step-{state.step:09}.safetensors"
        tensors = {name: t.detach().cpu().contiguous() for name, t in state.tensors().items()}
        header = {"state": json.dumps({"step": state.step, "seconds": state.seconds})}
        write_durably(path, lambda aside: save_file(tensors, aside, metadata=header))
        for old in self._complete()[_KEPT:]:
            old.unlink(missing_ok=True)
        return path

    def restore(self, state: TrainingState) -> list[str]:
        """Load the newest complete state, if there is one.

        Returns:
            A line for each newer file that was damaged and passed over.

        Raises:
            UserError: The state belongs to another model.
        """
        damaged = []
        for path in self._complete():
            try:
                with safe_open(path, framework="pt") as archive:
                    header = json.loads(archive.metadata()["state"])
                    tensors = {name: archive.get_tensor(name) for name in archive.keys()}
            except (SafetensorError, OSError) as error:
                damaged.append(f"{path.name} is damaged ({error}): fell back to the one before")
                continue
            state.restore(tensors, header["step"], header["seconds"])
            break
        return damaged

    def __bool__(self) -> bool:
        return bool(self._complete())

    def _complete(self) -> list[Path]:
        """Newest first; files still being written have other names."""
        if not self.folder.is_dir():
            return []
        return sorted((p for p in self.folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)
