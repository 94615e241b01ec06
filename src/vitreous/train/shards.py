"""A state in the shards its ranks hold, written and read by PyTorch's distributed checkpoint.

Every rank writes its own part, and nothing is gathered; any other number of ranks reads what it
needs. The parts are safetensors, so that nothing of a state is ever unpickled, which PyTorch's own
format would need. All ranks must see one disk.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch import Tensor, distributed
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.checkpoint.storage import WriteResult

from vitreous.durable import remove, replace_durably, tell_of_disk, write_text
from vitreous.errors import UserError
from vitreous.parallel.collect import together

_HEADER = "state.json"


class Shards:
    """Writes and reads states in shards, one at a time; for all ranks at once."""

    def __init__(self) -> None:
        # Its own: what the ranks tell one another here must not meet what training tells.
        self._group = distributed.new_group(backend="gloo") if together() else None

    def start(
        self,
        path: Path,
        tensors: Mapping[str, Tensor],
        numbers: Mapping[str, float],
        then: Callable[[Path], None],
    ) -> Future[Any]:
        """Copy the tensors to the host and write the copies.

        Args:
            path: The folder that will be there once every rank has written its part.
            tensors: By name; spread over the ranks, or whole on each, of which one writes it.
            numbers: The rest of the state.
            then: Called with `path` by the first rank, once the state is in place.

        Returns:
            Done once it is; its faults are explained by `reason`.
        """
        writing = async_save(
            dict(tensors),
            storage_writer=_Writer(path, numbers, then),
            process_group=self._group,
        )
        return cast("Future[Any]", writing)

    def read(self, path: Path, targets: Mapping[str, Tensor]) -> None:
        """Fill tensors in place, each rank its own part.

        Raises:
            UserError: A rank cannot see the state.
        """
        reader = HuggingFaceStorageReader(str(path))
        try:
            with warnings.catch_warnings():  # that a process is alone
                warnings.simplefilter("ignore", UserWarning)
                load(
                    dict(targets),
                    storage_reader=reader,
                    process_group=self._group,
                    no_dist=self._group is None,
                )
        except CheckpointException as error:
            if any(isinstance(f, OSError | SafetensorError) for f, _ in error.failures.values()):
                raise UserError(
                    f"rank {min(error.failures)} cannot read {path}: a state of sharded weights "
                    "needs a disk that all machines see"
                ) from error
            raise RuntimeError(str(error)) from error


def reason(path: Path, fault: BaseException) -> UserError | None:
    """What to do about a state that could not be written, where the disk refused it."""
    faults = [fault]
    if isinstance(fault, CheckpointException):
        faults = [of_rank for _, (of_rank, _) in sorted(fault.failures.items())]
    for each in faults:
        if (told := each if isinstance(each, UserError) else tell_of_disk(path, each)) is not None:
            return told
    return None


def read_header(path: Path) -> tuple[dict[str, float], dict[str, tuple[str, list[int]]]]:
    """The numbers of a state, and dtype and shape of each tensor, once every byte is checked.

    Raises:
        OSError, SafetensorError, KeyError, TypeError, ValueError: The state is damaged.
    """
    header = json.loads((path / _HEADER).read_text(encoding="utf-8"))
    for name, digest in header["sha256"].items():
        if _sha256(path / name) != digest:
            raise OSError(f"{name} is not what was written")
    described = HuggingFaceStorageReader(str(path)).read_metadata().state_dict_metadata
    kinds = {
        name: (str(tensor.properties.dtype)[6:], list(tensor.size))
        for name, tensor in described.items()
        if isinstance(tensor, TensorStorageMetadata)
    }
    return header["state"], kinds


@dataclass(frozen=True)
class _Piece:
    """What the first rank is told of a file."""

    file: str
    sha256: str


class _Writer(HuggingFaceStorageWriter):
    """Writes aside; once all ranks have, the first one puts the whole in place."""

    def __init__(
        self, path: Path, numbers: Mapping[str, float], then: Callable[[Path], None]
    ) -> None:
        self._place, self._aside = path, path.with_name(f".{path.name}.part")
        self._numbers, self._then = dict(numbers), then
        super().__init__(str(self._aside), save_distributed=True)

    def write_data(
        self, plan: SavePlan, planner: SavePlanner
    ) -> torch.futures.Future[list[WriteResult]]:
        """Write this rank's tensors and take the digest of what is on disk."""
        written = super().write_data(plan, planner).wait()
        names = {result.storage_data.relative_path for result in written}
        pieces = {name: _Piece(name, _sha256(self._aside / name)) for name in names}
        done: torch.futures.Future[list[WriteResult]] = torch.futures.Future()
        done.set_result(
            [replace(r, storage_data=pieces[r.storage_data.relative_path]) for r in written]
        )
        return done

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """On the first rank, with what all have written."""
        digests = {r.storage_data.file: r.storage_data.sha256 for part in results for r in part}
        for name in digests:
            if not (self._aside / name).is_file():
                raise UserError(
                    f"{self._place}: {name} of another rank is not there: a state of sharded "
                    "weights needs a disk that all machines see"
                )
        header = {"state": self._numbers, "sha256": digests}
        write_text(self._aside / _HEADER, json.dumps(header, indent=1) + "\n")
        remove(self._place)  # a damaged one, which the run has come by again
        replace_durably(self._aside, self._place)
        self._then(self._place)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
