"""What lies in shards, written down, so that opening a million images reads no tar.

A folder of shards holds, besides `NAME.tar`:

* `NAME.index` for each: a NumPy archive of `offsets` and `sizes` (int64 bytes of each image in the
  tar), `labels` (int64, or uint8 rows where images have several), `names` (uint8, UTF-8) with
  `name_stops` (int64), and `about` (JSON): the tar's `bytes` and `sha256`, and `left_out`, a line
  for each image that could not be read when the shard was written.
* `index.json`: the classes, and which shards make up which part. It says `complete: false` while
  shards are being written.

Each file is complete or absent.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int64

from vitreous.data.sample import PART_NAMES, Labels
from vitreous.data.sources.names import PackedNames
from vitreous.durable import write_durably, write_text
from vitreous.errors import UserError

FORMAT = "vitreous shards 1"
INDEX = "index.json"


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """One shard.

    Attributes:
        names: Of the images, as in the data set that the shard was made of.
        offsets: Where each image begins in the tar, bytes.
        sizes: Bytes of each image.
        labels: Class indices, or multi-hot rows.
        bytes: Size of the tar.
        sha256: Of the tar.
        left_out: Images that could not be read, as "name: reason".
    """

    names: PackedNames
    offsets: Int64[np.ndarray, " n"]
    sizes: Int64[np.ndarray, " n"]
    labels: Labels
    bytes: int
    sha256: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SetIndex:
    """A folder of shards.

    Attributes:
        class_names: In label order.
        channels: Of every image, 1 or 3.
        image_size: (H, W) where all images share it.
        multi_label: Whether an image may have several labels.
        made: What the shards were made of, and how: the same again makes the same files.
        shards: Part -> names of its tars, in order.
        complete: Whether all shards are there.
        totals: Of each part, `images`, `bytes` and `left_out`; once complete.
    """

    class_names: tuple[str, ...]
    channels: int
    image_size: tuple[int, int] | None
    multi_label: bool
    made: Mapping[str, Any]
    shards: Mapping[str, tuple[str, ...]]
    complete: bool = False
    totals: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def write_shard_index(tar: Path, index: ShardIndex) -> None:
    """Write `NAME.index` beside `NAME.tar`."""
    names = PackedNames.pack(index.names)
    about = {"bytes": index.bytes, "sha256": index.sha256, "left_out": list(index.left_out)}

    def write(aside: Path) -> None:
        with open(aside, "wb") as file:
            np.savez(
                file,
                offsets=index.offsets,
                sizes=index.sizes,
                labels=index.labels,
                names=np.frombuffer(names.buffer, np.uint8),
                name_stops=names.stops,
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            )

    write_durably(tar.with_suffix(".index"), write)


def read_shard_index(tar: Path) -> ShardIndex:
    """Read `NAME.index` of a tar, which itself is not touched.

    Raises:
        UserError: It is missing, damaged, or its columns do not belong together.
    """
    path = tar.with_suffix(".index")
    try:
        with open(path, "rb") as file:
            index = _read(file)
        count = len(index.names)
        if not (len(index.offsets) == len(index.sizes) == len(index.labels) == count):
            raise ValueError("columns of different lengths")
        if count and min(index.offsets.min(), index.sizes.min(), index.labels.min()) < 0:
            raise ValueError("negative numbers")
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as fault:
        raise UserError(
            f"{path}: cannot be read ({fault}): copy it again, or make it with "
            f"`vitreous data index {tar.parent}`"
        ) from fault
    return index


def _read(file: BinaryIO) -> ShardIndex:
    with np.load(file, allow_pickle=False) as archive:
        stops = archive["name_stops"].astype(np.int64)
        starts = np.concatenate([np.zeros(min(1, len(stops)), np.int64), stops[:-1]])
        about = json.loads(archive["about"].tobytes())
        labels = archive["labels"]
        return ShardIndex(
            names=PackedNames(archive["names"].tobytes(), starts, stops),
            offsets=archive["offsets"].astype(np.int64),
            sizes=archive["sizes"].astype(np.int64),
            labels=labels.astype(np.uint8 if labels.ndim == 2 else np.int64),
            bytes=int(about["bytes"]),
            sha256=str(about["sha256"]),
            left_out=tuple(about["left_out"]),
        )


def write_set_index(folder: Path, index: SetIndex) -> None:
    """Write `index.json`."""
    text = json.dumps({"format": FORMAT, **asdict(index)}, indent=1, ensure_ascii=False)
    write_text(folder / INDEX, text + "\n")


def read_set_index(folder: Path) -> SetIndex | None:
    """Read `index.json` of a folder of shards; None where there is none of ours.

    Raises:
        UserError: It is damaged, or of another version.
    """
    path = folder / INDEX
    try:
        text = path.read_text(encoding="utf-8")
        fields = json.loads(text)
        form = fields.pop("format")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not str(form).startswith("vitreous shards"):
        return None
    try:
        if form != FORMAT:
            raise ValueError(f"of the form {form!r}, not {FORMAT!r}")
        size = fields.pop("image_size")
        shards = {part: tuple(files) for part, files in fields.pop("shards").items()}
        index = SetIndex(
            class_names=tuple(map(str, fields.pop("class_names"))),
            image_size=None if size is None else (int(size[0]), int(size[1])),
            shards=shards,
            **fields,
        )
        if not set(shards) <= set(PART_NAMES):
            raise ValueError(f"parts {', '.join(shards)}")
        for name in (name for files in shards.values() for name in files):
            if name != Path(name).name or not name.endswith(".tar"):
                raise ValueError(f"{name!r} is no tar beside it")
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise UserError(f"{path}: cannot be read ({fault}): copy it again") from fault
    return index
