"""WebDataset shards: `name-{000..127}.tar`, a folder of such tars, or one of them.

Where `vitreous data shard` or `vitreous data index` has left an index, opening reads that and no
tar. Otherwise the tars' headers are read once, several tars at a time. Shards make up parts by a
word of their file names (`imagenet-train-0001.tar`; `PART_FOLDERS`); without one they are train.

A shard that is missing, cut short or damaged is named in the notes. With an index, its images are
bad images when they are read, and count as such; without one, those before the damage are used.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vitreous.data.sample import PART_NAMES, Dataset, Labels
from vitreous.data.sources.brace import expand_braces
from vitreous.data.sources.encoded import listed_dataset
from vitreous.data.sources.folder_words import part_of_words
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.shard_index import (
    SetIndex,
    ShardIndex,
    read_set_index,
    read_shard_index,
)
from vitreous.data.sources.shard_scan import ScannedShard, scan_shard
from vitreous.data.sources.spans import SpanStore
from vitreous.errors import UserError

# Headers lie far apart: on a disk far away, reading them is waiting.
_READERS = 16


def is_shard_folder(folder: Path) -> bool:
    """Whether a folder holds the index of shards, or tars and no folders."""
    if read_set_index(folder) is not None:
        return True
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    if any(entry.is_dir() for entry in entries):
        return False
    return any(entry.suffix == ".tar" for entry in entries)


def open_shard_folder(folder: Path, address: str) -> Dataset:
    """Open all tars of a folder (see `open_shards`)."""
    return open_shards(shards_of_folder(folder), address)


def open_shard_pattern(pattern: str) -> Dataset:
    """Open the tars that a pattern with braces stands for (see `open_shards`)."""
    return open_shards(shards_of_pattern(pattern), pattern)


def shards_of_folder(folder: Path) -> list[Path]:
    """The tars of a folder: those of its index, or all."""
    index = read_set_index(folder)
    if index is None:
        return sorted(folder.glob("*.tar"))
    return [folder / name for part in PART_NAMES for name in index.shards.get(part, ())]


def shards_of_pattern(pattern: str) -> list[Path]:
    """The tars that a pattern with braces stands for.

    Raises:
        UserError: One of them is missing.
    """
    paths = [Path(name) for name in expand_braces(pattern)]
    for path in paths:
        if not path.is_file() and not path.with_suffix(".index").is_file():
            missing = sum(not other.is_file() for other in paths)
            raise UserError(
                f"{pattern}: {path} is missing ({missing} of {len(paths)} are): fetch it, or name "
                "the shards that are there"
            )
    return paths


def open_shards(paths: Sequence[Path], address: str) -> Dataset:
    """Open shards, all with an index or by their headers.

    Images are named as in the data set that `vitreous data shard` took, or by shard and member.

    Raises:
        UserError: The shards are unfinished, hold no image with a label, or their index is damaged.
    """
    index = read_set_index(paths[0].parent) if paths else None
    if index is None or any(path.parent != paths[0].parent for path in paths):
        return _open_scanned(paths, address)
    if not index.complete:
        raise UserError(
            f"{address}: its shards are not all written: give the same `vitreous data shard` again"
        )
    part_of_name = {name: part for part, names in index.shards.items() for name in names}
    if any(path.name not in part_of_name for path in paths):
        return _open_scanned(paths, address)
    return _open_indexed(paths, [part_of_name[path.name] for path in paths], index, address)


def _open_indexed(
    paths: Sequence[Path], parts: Sequence[str], about: SetIndex, address: str
) -> Dataset:
    shards = [read_shard_index(path) for path in paths]
    notes = {}
    damaged = [text for text in map(_damage, paths, shards) if text]
    if damaged:
        notes["damaged shards"] = "; ".join(damaged[:5]) + ("; ..." if len(damaged) > 5 else "")
    if left_out := sum(len(shard.left_out) for shard in shards):
        notes["left out"] = f"{left_out} images that could not be read when the shards were made"
    labels = np.concatenate([shard.labels for shard in shards])
    if labels.ndim != 1 + about.multi_label or _most(labels) >= len(about.class_names):
        raise UserError(
            f"{address}: a shard has label {_most(labels)} and index.json names "
            f"{len(about.class_names)} classes: take all files from one set"
        )
    return _assemble(
        paths,
        parts,
        address=address,
        shards=shards,
        labels=labels,
        class_names=about.class_names,
        notes=notes,
        channels=about.channels,
        image_size=about.image_size,
    )


def _damage(path: Path, shard: ShardIndex) -> str | None:
    """What is wrong with a tar, by its size alone."""
    try:
        size = path.stat().st_size
    except OSError as fault:
        return f"{path.name}: {fault.strerror}, {len(shard.names):,} images"
    if size == shard.bytes:
        return None
    reached = int((shard.offsets + shard.sizes <= size).sum())
    return (
        f"{path.name}: {size:,} bytes instead of {shard.bytes:,}, "
        f"{len(shard.names) - reached:,} of {len(shard.names):,} images out of reach"
    )


def _most(labels: Labels) -> int:
    if labels.ndim == 2:
        return labels.shape[1] - 1
    return int(labels.max(initial=-1))


def scan_shards(paths: Sequence[Path]) -> list[ScannedShard]:
    """Read the headers of all shards, several at a time."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="vitreous-scan") as pool:
        return list(pool.map(scan_shard, paths))


def _open_scanned(paths: Sequence[Path], address: str) -> Dataset:
    shards = scan_shards(paths)
    class_names, labels = merged_labels(shards)
    if not len(labels):
        raise UserError(f"{address}: {_why_empty(paths, shards)}")
    return _assemble(
        paths,
        [part_of_words(path.stem) for path in paths],
        address=address,
        shards=shards,
        labels=labels,
        class_names=class_names,
        notes=_scan_notes(paths, shards),
    )


def merged_labels(shards: Sequence[ScannedShard]) -> tuple[tuple[str, ...], Labels]:
    """Class names and labels of shards that were scanned.

    Where all labels are numbers from 0 (as in `.cls` files), classes are named by number up to the
    largest; otherwise class names are the labels, sorted.
    """
    words = {word for shard in shards for word in shard.vocabulary}
    if words and all(word.isascii() and word.isdecimal() and len(word) < 7 for word in words):
        class_names = tuple(str(number) for number in range(max(map(int, words)) + 1))
        place = {word: int(word) for word in words}
    else:
        class_names = tuple(sorted(words))
        place = {word: number for number, word in enumerate(class_names)}
    none = np.zeros(0, np.int64)
    codes = np.concatenate(
        [
            none,
            *(
                np.array([place[word] for word in shard.vocabulary], np.int64)[shard.codes]
                for shard in shards
            ),
        ]
    )
    if not any(shard.several for shard in shards):
        return class_names, codes
    counts = np.concatenate([none, *(shard.counts for shard in shards)])
    labels = np.zeros((len(counts), len(class_names)), np.uint8)
    labels[np.repeat(np.arange(len(counts)), counts), codes] = 1
    return class_names, labels


def _scan_notes(paths: Sequence[Path], shards: Sequence[ScannedShard]) -> dict[str, str]:
    passed_over: Counter[str] = Counter()
    for shard in shards:
        passed_over.update(shard.passed_over)
    notes = {}
    damaged = [
        f"{path.name}: {shard.damage}, {len(shard.names):,} images before that are used"
        for path, shard in zip(paths, shards, strict=True)
        if shard.damage
    ]
    if damaged:
        notes["damaged shards"] = "; ".join(damaged[:5]) + ("; ..." if len(damaged) > 5 else "")
    if passed_over:
        listed = ", ".join(f"{count} {what}" for what, count in passed_over.most_common(4))
        notes["other members"] = f"passed over {listed}"
    return notes


def _why_empty(paths: Sequence[Path], shards: Sequence[ScannedShard]) -> str:
    notes = _scan_notes(paths, shards)
    why = "; ".join(notes.values()) or "the tars are empty"
    return (
        f"no images with labels in {len(paths)} shards ({why}): a sample is 000.jpg with 000.cls, "
        "000.json or 000.txt"
    )


def _assemble(
    paths: Sequence[Path],
    parts: Sequence[str],
    *,
    address: str,
    shards: Sequence[ShardIndex | ScannedShard],
    labels: Labels,
    class_names: tuple[str, ...],
    notes: dict[str, str],
    channels: int | None = None,
    image_size: tuple[int, int] | None = None,
) -> Dataset:
    files = np.repeat(np.arange(len(paths)), [len(shard.names) for shard in shards])
    numbers = np.array([PART_NAMES.index(part) for part in parts], np.int64)
    store = SpanStore(
        [path.absolute() for path in paths],
        files,
        np.concatenate([shard.offsets for shard in shards]),
        np.concatenate([shard.sizes for shard in shards]),
    )
    return listed_dataset(
        address=address,
        names=PackedNames.join([shard.names for shard in shards]),
        labels=labels,
        part_of=numbers[files],
        class_names=class_names,
        store=store,
        notes=notes,
        channels=channels,
        image_size=image_size,
    )
