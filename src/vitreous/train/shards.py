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
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import torch
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

from vitreous.durable import remove, replace_durably, sha256, sync, tell_of_disk, write_text
from vitreous.errors import UserError
from vitreous.parallel.collect import (
    ToldElsewhereError,
    gather_texts,
    rank,
    together,
    world_size,
)

_HEADER = "state.json"
# For the slowest rank's disk; a rank that is gone without a word is waited for as long.
_PATIENCE = timedelta(minutes=10)


class Shards:
    """Writes and reads states in shards, one at a time; for all ranks at once."""

    def __init__(self) -> None:
        # Its own: what the ranks tell one another here must not meet what training tells.
        self._group = None
        if together():
            self._group = distributed.new_group(backend="gloo", timeout=_PATIENCE)

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

    def check(self, path: Path) -> str | tuple[dict[str, float], dict[str, tuple[str, list[int]]]]:
        """The numbers of a state, and dtype and shape of each tensor; or what is damaged.

        Every byte is as it was written: the ranks share the files out among them.

        Raises:
            UserError: A rank does not see the state that the first one sees; on the first.
            ToldElsewhereError: The same, on the others.
        """
        try:
            header = _read_header(path)
            seen, damaged = json.dumps(header, sort_keys=True), _damaged(path, header)
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            header, seen, damaged = {}, "", str(error)
        told = [json.loads(text) for text in gather_texts(json.dumps([seen, damaged]))]
        blind = [number for number, (there, _) in enumerate(told) if there != told[0][0]]
        if blind and told[0][0]:
            words = (
                f"rank {blind[0]} does not see {path} as the first one does: a state of sharded "
                "weights needs a disk that all machines see"
            )
            raise ToldElsewhereError(words) if rank() else UserError(words)
        if reasons := [reason for _, reason in told if reason]:
            return str(reasons[0])
        described = HuggingFaceStorageReader(str(path)).read_metadata().state_dict_metadata
        return header["state"], {
            name: (str(tensor.properties.dtype)[6:], list(tensor.size))
            for name, tensor in described.items()
            if isinstance(tensor, TensorStorageMetadata)
        }

    def read(self, path: Path, targets: Mapping[str, Tensor]) -> None:
        """Fill tensors in place with those of a checked state, each rank its own part."""
        reader = HuggingFaceStorageReader(str(path))
        with warnings.catch_warnings():  # that a process is alone
            warnings.simplefilter("ignore", UserWarning)
            load(
                dict(targets),
                storage_reader=reader,
                process_group=self._group,
                no_dist=self._group is None,
            )


def reason(path: Path, fault: BaseException) -> Exception:
    """Why a state could not be written; a UserError where the disk refused it."""
    faults = [fault]
    if isinstance(fault, CheckpointException):
        faults = [of_rank for _, (of_rank, _) in sorted(fault.failures.items())]
    for each in faults:
        if (told := each if isinstance(each, UserError) else tell_of_disk(path, each)) is not None:
            return told
    # PyTorch's is no Exception, and would pass by whoever waits for one.
    return fault if isinstance(fault, Exception) else RuntimeError(str(fault))


def _read_header(path: Path) -> dict[str, Any]:
    header: dict[str, Any] = json.loads((path / _HEADER).read_text(encoding="utf-8"))
    if header["digest"] != _digest(header):
        raise OSError(f"{_HEADER} is not what was written")
    return header


def _digest(header: Mapping[str, Any]) -> str:
    """SHA-256 of the numbers and of the list of files."""
    text = json.dumps([header["state"], header["sha256"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _damaged(path: Path, header: Mapping[str, Any]) -> str:
    """What is wrong with the files of a state; reads this rank's share of them. Empty: nothing."""
    digests = header["sha256"]
    there = {file.name for file in path.glob("*.safetensors")}
    if there != digests.keys():
        name = sorted(there ^ digests.keys())[0]
        return f"{name} is {'not part of it' if name in there else 'gone'}"
    for name in sorted(digests)[rank() :: world_size()]:
        if sha256(path / name) != digests[name]:
            return f"{name} is not what was written"
    return ""


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
        for name in names:
            sync(self._aside / name)  # PyTorch's own sync comes before its buffer's last bytes
        pieces = {name: _Piece(name, sha256(self._aside / name)) for name in names}
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
        header: dict[str, Any] = {"state": self._numbers, "sha256": digests}
        header["digest"] = _digest(header)
        write_text(self._aside / _HEADER, json.dumps(header, indent=1) + "\n")
        remove(self._place)  # a damaged one, which the run has come by again
        replace_durably(self._aside, self._place)
        self._then(self._place)
