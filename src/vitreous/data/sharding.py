"""Write a data set as WebDataset shards with an index, in several processes, resumable.

A shard is a tar of `00000042.jpg` and `00000042.cls` (the class index; `.json` with a list where
images may have several labels). The files that `vitreous.data.sources.shard_index` describes lie
beside. Which image lies where is a function of the data set and the options alone, and so is every
byte; training images are shuffled, so that any stretch of a shard is a mixture.
"""

import hashlib
import io
import json
import signal
import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from vitreous.data.packing import AS_IT_IS, Packing, pack_image
from vitreous.data.sample import Dataset, Labels, Part
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.shard_index import (
    INDEX,
    SetIndex,
    ShardIndex,
    read_set_index,
    read_shard_index,
    write_set_index,
    write_shard_index,
)
from vitreous.durable import sha256, write_durably
from vitreous.errors import BadImageError, UserError

# Images whose size stands for all, when shards are planned.
_SAMPLE = 64

# Of the order of training images in shards.
_SEED = 0

# What a tar adds to an image: two headers, the label, and padding.
_OVERHEAD = 512 * 3 + 256


@dataclass(frozen=True)
class Job:
    """One shard to write.

    Attributes:
        file: Its name.
        part: Whose images.
        positions: Of its images in the part.
    """

    file: str
    part: str
    positions: Int64[np.ndarray, " n"]


def write_shards(
    dataset: Dataset,
    out: Path,
    *,
    size: int = 256_000_000,
    packing: Packing = AS_IT_IS,
    workers: int = 1,
    on_shard: Callable[[int, int], None] = lambda images, total: None,
) -> SetIndex:
    """Write all parts of a data set as shards; go on where an earlier call was stopped.

    Images that cannot be read are left out, and named in the shard's index. With workers, call it
    from a program that guards its main (`if __name__ == "__main__"`), as for any new process.

    Args:
        dataset: Of images of 1 or 3 channels.
        out: Folder for the shards.
        size: Of a shard, bytes, about: shards hold equal counts of images, planned from a few.
        packing: What happens to each image.
        workers: Processes.
        on_shard: Called with the number of images done, and of all, from time to time.

    Returns:
        What `index.json` then holds.

    Raises:
        UserError: `out` holds something else, no image can be read, the disk is full, or a
            process was killed.
    """
    if dataset.channels not in (1, 3):
        raise UserError(
            f"{dataset.address}: images of {dataset.channels} channels are no image files: train "
            "on them as they are"
        )
    begun = _begun(out)
    made = {"size": size, **asdict(packing), "sha256": _fingerprint(dataset)}
    if begun is not None and {**begun.made, "source": None} != {**made, "source": None}:
        raise UserError(
            f"{out}: holds shards of other data or with other options ({begun.made['source']}): "
            "give the same command, or another folder"
        )
    jobs = list(_plan(dataset, size, packing, {} if begun is None else begun.shards))
    plan = begun or SetIndex(
        class_names=dataset.class_names,
        channels=dataset.channels,
        image_size=dataset.image_size if packing.max_side is None else None,
        multi_label=dataset.multi_label,
        made={"source": dataset.address, **made},
        shards={
            part: tuple(job.file for job in jobs if job.part == part) for part in dataset.parts
        },
    )
    todo = [job for job in jobs if not _is_there(out / job.file)]
    write_set_index(out, replace(plan, complete=False, totals={}))
    total = sum(len(job.positions) for job in jobs)
    done = total - sum(len(job.positions) for job in todo)
    on_shard(done, total)
    for job in _run(todo, _Work(dataset, out, packing), workers):
        done += len(job.positions)
        on_shard(done, total)
    complete = replace(plan, complete=True, totals=_totals(out, plan))
    write_set_index(out, complete)
    return complete


def verify_shards(folder: Path) -> list[str]:
    """Compare each shard with the SHA-256 of its index.

    Returns:
        A line for each that differs; none where all is well.

    Raises:
        UserError: The folder holds no index.
    """
    index = read_set_index(folder)
    if index is None:
        raise UserError(f"{folder}: holds no {INDEX}: make it with `vitreous data index {folder}`")
    faults = []
    for name in (name for names in index.shards.values() for name in names):
        path = folder / name
        try:
            about = read_shard_index(path)
            digest = sha256(path)
        except UserError as fault:
            faults.append(str(fault))
        except OSError as fault:
            faults.append(f"{path}: {fault.strerror}")
        else:
            if digest != about.sha256:
                faults.append(f"{path}: its SHA-256 is not the one in its index")
    return faults


@dataclass(frozen=True)
class _Work:
    """What every worker needs."""

    dataset: Dataset
    out: Path
    packing: Packing

    def write(self, job: Job) -> None:
        """Write one shard, and then its index: with that it counts as there."""
        part = self.dataset.parts[job.part]
        rows: list[tuple[int, int, int]] = []  # position in the part, offset, size
        left_out: list[str] = []

        def fill(aside: Path) -> None:
            with tarfile.open(aside, "w", format=tarfile.USTAR_FORMAT) as archive:
                for position in job.positions.tolist():
                    try:
                        data, suffix = pack_image(part, position, self.packing)
                    except BadImageError as error:
                        left_out.append(str(error))
                        continue
                    key = f"{position:08d}"
                    rows.append((position, archive.offset + tarfile.BLOCKSIZE, len(data)))
                    _add(archive, f"{key}.{suffix}", data)
                    _add(archive, *_label_member(key, part.labels, position))

        path = self.out / job.file
        write_durably(path, fill)
        columns = np.array(rows, np.int64).reshape(-1, 3)
        index = ShardIndex(
            names=PackedNames.pack(part.names[position] for position, _, _ in rows),
            offsets=columns[:, 1],
            sizes=columns[:, 2],
            labels=part.labels[columns[:, 0]],
            bytes=path.stat().st_size,
            sha256=sha256(path),
            left_out=tuple(left_out),
        )
        write_shard_index(path, index)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
    archive.members.clear()  # type: ignore[attr-defined]  # it would keep an object a member


def _label_member(key: str, labels: Labels, position: int) -> tuple[str, bytes]:
    if labels.ndim == 1:
        return f"{key}.cls", str(labels[position]).encode()
    several = np.flatnonzero(labels[position]).tolist()
    return f"{key}.json", json.dumps({"labels": several}).encode()


def _begun(out: Path) -> SetIndex | None:
    """What an earlier call planned; None in a new or empty folder."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise UserError(f"{out}: is a file: give a folder for the shards")
    index = read_set_index(out)
    if index is None and any(not file.name.startswith(".") for file in out.iterdir()):
        raise UserError(f"{out}: holds other files: give a new folder")
    if index is not None and "sha256" not in index.made:
        raise UserError(f"{out}: holds shards that others wrote: give a new folder")
    return index


def _plan(
    dataset: Dataset, size: int, packing: Packing, begun: Mapping[str, tuple[str, ...]]
) -> Iterator[Job]:
    for name, part in dataset.parts.items():
        count = len(part.labels)
        order = np.arange(count)
        if name == "train":
            order = np.random.default_rng(_SEED).permutation(count)
        pieces = len(begun.get(name, ()))
        if not pieces:
            mean = _mean_size(dataset.address, part, packing) + _OVERHEAD
            pieces = -(-count // max(1, int(size / mean)))
        for number, positions in enumerate(np.array_split(order, pieces)):
            yield Job(f"{name}-{number:06d}.tar", name, positions)


def _mean_size(address: str, part: Part, packing: Packing) -> float:
    """Bytes of an image once packed, of a few spread over the part."""
    sizes, first = [], None
    count = len(part.labels)
    for position in np.linspace(0, count - 1, min(count, _SAMPLE)).astype(int).tolist():
        try:
            sizes.append(len(pack_image(part, position, packing)[0]))
        except BadImageError as error:
            first = first or error
    if not sizes:
        raise UserError(f"{address}: none of the images looked at can be read ({first})")
    return float(np.mean(sizes))


def _fingerprint(dataset: Dataset) -> str:
    """Of names, labels and parts: whether a call goes on with the same data."""
    digest = hashlib.sha256()
    for name, part in dataset.parts.items():
        digest.update(f"{name} {len(part.labels)} {dataset.channels}\n".encode())
        digest.update(PackedNames.pack(part.names).buffer)
        digest.update(np.ascontiguousarray(part.labels).tobytes())
    digest.update("\n".join(dataset.class_names).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size == read_shard_index(path).bytes
    except (OSError, UserError):
        return False


def _totals(out: Path, plan: SetIndex) -> dict[str, dict[str, int]]:
    totals = {}
    for part, files in plan.shards.items():
        shards = [read_shard_index(out / file) for file in files]
        totals[part] = {
            "images": sum(len(shard.names) for shard in shards),
            "bytes": sum(shard.bytes for shard in shards),
            "left_out": sum(len(shard.left_out) for shard in shards),
        }
    return totals


def _run(todo: list[Job], work: _Work, workers: int) -> Iterator[Job]:
    """Write shards, here or in other processes; gives each when it is done."""
    if min(workers, len(todo)) < 2:
        for job in todo:
            work.write(job)
            yield job
        return
    # Threads of torch do not survive a fork.
    pool = ProcessPoolExecutor(
        min(workers, len(todo)), get_context("spawn"), initializer=_receive, initargs=(work,)
    )
    try:
        futures = {pool.submit(_write, job): job for job in todo}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise UserError(
            "a process was killed while it wrote a shard, most likely for want of memory: give the "
            "same command with fewer --workers, and it goes on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_received: dict[str, Any] = {}


def _receive(work: _Work) -> None:
    # Ctrl-C reaches every process; ours ends the others, once their shards are whole.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _received["work"] = work


def _write(job: Job) -> None:
    _received["work"].write(job)
