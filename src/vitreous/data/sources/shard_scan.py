"""Shards that others wrote: images and labels grouped by key, as WebDataset has them.

A sample is a run of members that share their name up to the first dot of its last part: `000.jpg`
with `000.cls` (a class index or name), `000.json` (an object with `label`, `labels`, `class` or
`class_name`, one or a list) or `000.txt` (a line: the class name). Where there are several, the
first of this list is believed. Other members are passed over and counted; whatever they hold,
nothing is unpickled.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from posixpath import splitext

import numpy as np
from jaxtyping import Int64

from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.tar_listing import TarListing, list_tar
from vitreous.data.sources.tree import IMAGE_SUFFIXES

_PLAIN = ("cls", "label", "class", "target")
_KEYS = ("label", "labels", "class", "class_name", "cls", "target")
# A label is never longer, bytes.
_LONGEST = 2**16


@dataclass(frozen=True, eq=False)
class ScannedShard:
    """One shard, as far as it can be read.

    Attributes:
        names: `SHARD/MEMBER` of each image.
        offsets: Where each image begins in the tar, bytes.
        sizes: Bytes of each image.
        vocabulary: Labels as written, each once.
        codes: Of all labels one after the other, positions in `vocabulary`.
        counts: How many labels each image has.
        several: Whether labels came as lists.
        passed_over: What was left out: reason -> count.
        damage: What is wrong with the tar, or None.
    """

    names: PackedNames
    offsets: Int64[np.ndarray, " n"]
    sizes: Int64[np.ndarray, " n"]
    vocabulary: tuple[str, ...]
    codes: Int64[np.ndarray, " labels"]
    counts: Int64[np.ndarray, " n"]
    several: bool
    passed_over: Counter[str]
    damage: str | None


def is_samples(names: Iterable[str]) -> bool:
    """Whether a tar's members are samples and not a tree of class folders."""
    return any(splitext(name)[1] == ".cls" for name in names)


def scan_shard(path: Path) -> ScannedShard:
    """List a shard's images by its headers, and read its labels; no image is read."""
    listing = list_tar(path)
    passed_over: Counter[str] = Counter()
    if listing.ignored:
        passed_over["links, devices or names that climb out"] = listing.ignored
    images: list[int] = []
    labels: list[list[str]] = []
    several = False
    if listing.names:
        with open(path, "rb") as file:
            for sample in _samples(listing):
                image = _image(sample, passed_over)
                if image is None:
                    passed_over["samples without an image"] += 1
                    continue
                found = _labels(sample, listing, file.fileno())
                if found is None:
                    passed_over["images without a label"] += 1
                    continue
                several |= found[1]
                images.append(image)
                labels.append(found[0])
    vocabulary = {
        text: code for code, text in enumerate(dict.fromkeys(chain.from_iterable(labels)))
    }
    return ScannedShard(
        names=PackedNames.pack(f"{path.stem}/{listing.names[image]}" for image in images),
        offsets=np.array([listing.offsets[image] for image in images], np.int64),
        sizes=np.array([listing.sizes[image] for image in images], np.int64),
        vocabulary=tuple(vocabulary),
        codes=np.array([vocabulary[text] for text in chain.from_iterable(labels)], np.int64),
        counts=np.array([len(texts) for texts in labels], np.int64),
        several=several,
        passed_over=passed_over,
        damage=listing.damage,
    )


def _samples(listing: TarListing) -> Iterator[Mapping[str, int]]:
    """Of each sample, ending -> position of the member."""

    def key(position: int) -> str:
        return re.sub(r"(?<=[^/])\.[^/]*$", "", listing.names[position])

    for stem, members in groupby(range(len(listing.names)), key):
        yield {listing.names[member][len(stem) + 1 :].lower(): member for member in members}


def _image(sample: Mapping[str, int], passed_over: Counter[str]) -> int | None:
    """Position of a sample's image; the first where it has several."""
    chosen = None
    for ending, position in sample.items():
        last = "." + ending.rpartition(".")[2]
        if last in IMAGE_SUFFIXES and chosen is None:
            chosen = position
        elif last[1:] not in (*_PLAIN, "json", "txt"):
            passed_over[f"members that end in {last}"] += 1
    return chosen


def _labels(
    sample: Mapping[str, int], listing: TarListing, descriptor: int
) -> tuple[list[str], bool] | None:
    """A sample's labels, and whether they came as a list; None where it has none."""
    for ending in (*_PLAIN, "json", "txt"):
        position = sample.get(ending)
        if position is None or listing.sizes[position] > _LONGEST:
            continue
        data = os.pread(descriptor, listing.sizes[position], listing.offsets[position])
        text = data.decode("utf-8", "replace").strip()
        if ending == "json":
            value = _from_json(text)
            if isinstance(value, list):
                return sorted({str(label) for label in value}), True
            text = "" if value is None else str(value)
        if text and "\n" not in text:
            return [text], False
    return None


def _from_json(text: str) -> object:
    """The label in a JSON member, or None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = next((value[key] for key in _KEYS if key in value), None)
    return None if isinstance(value, dict | float | bool) else value
