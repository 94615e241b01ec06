"""An index for shards that others wrote, so that opening them reads no tar."""

from pathlib import Path

import numpy as np

from vitreous.data.open import open_dataset
from vitreous.data.sample import PART_NAMES
from vitreous.data.sources.folder_words import part_of_words
from vitreous.data.sources.shard_index import (
    INDEX,
    SetIndex,
    ShardIndex,
    read_set_index,
    read_shard_index,
    write_set_index,
    write_shard_index,
)
from vitreous.data.sources.shards import (
    merged_labels,
    scan_shards,
    shards_of_folder,
    shards_of_pattern,
)
from vitreous.durable import sha256
from vitreous.errors import UserError


def index_shards(address: str) -> tuple[SetIndex, Path]:
    """Write `NAME.index` beside each tar, and `index.json`.

    Args:
        address: A folder of tars, or a pattern such as `name-{000..127}.tar`.

    Returns:
        What `index.json` then holds, and the folder.

    Raises:
        UserError: A shard is missing or damaged, there is no image with a label, or a file of
            another program stands where one would be written.
    """
    folder = Path(address)
    paths = shards_of_folder(folder) if folder.is_dir() else shards_of_pattern(address)
    if not paths or any(path.parent != paths[0].parent for path in paths):
        raise UserError(f"{address}: no .tar files of one folder: give the shards' folder")
    folder = paths[0].parent
    if (there := read_set_index(folder)) is not None:
        raise UserError(f"{folder}: has an index of {sum(map(len, there.shards.values()))} shards")
    _require_ours(folder, paths)
    dataset = open_dataset(address)
    shards = scan_shards(paths)
    for path, shard in zip(paths, shards, strict=True):
        if shard.damage is not None:
            raise UserError(f"{path}: {shard.damage}: fetch it again before it is indexed")
    class_names, labels = merged_labels(shards)
    edges = np.cumsum([len(shard.names) for shard in shards])[:-1]
    parts: dict[str, list[str]] = {}
    totals: dict[str, dict[str, int]] = {}
    for path, shard, own in zip(paths, shards, np.split(labels, edges), strict=True):
        size = path.stat().st_size
        index = ShardIndex(shard.names, shard.offsets, shard.sizes, own, size, sha256(path))
        write_shard_index(path, index)
        part = part_of_words(path.stem)
        parts.setdefault(part, []).append(path.name)
        row = totals.setdefault(part, {"images": 0, "bytes": 0, "left_out": 0})
        row["images"] += len(shard.names)
        row["bytes"] += size
    about = SetIndex(
        class_names=class_names,
        channels=dataset.channels,
        image_size=None,
        multi_label=labels.ndim == 2,
        made={"source": address},
        shards={part: tuple(parts[part]) for part in PART_NAMES if part in parts},
        complete=True,
        totals=totals,
    )
    write_set_index(folder, about)
    return about, folder


def _require_ours(folder: Path, paths: list[Path]) -> None:
    """Refuse where another program keeps files of these names; what a stop left of ours may go."""
    if (folder / INDEX).exists():
        raise UserError(f"{folder / INDEX} is of another program: move it elsewhere")
    for path in paths:
        if path.with_suffix(".index").exists():
            try:
                read_shard_index(path)
            except UserError as fault:
                raise UserError(
                    f"{path.with_suffix('.index')} is damaged, or of another program: move it "
                    "elsewhere"
                ) from fault
