"""A data set before training: what is in it, what is broken, what is there twice."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.decode import decode
from vitreous.data.duplicates import Duplicate, find_duplicates
from vitreous.data.examine import ROTTEN, FileFacts, examine, fault_kind
from vitreous.data.gallery import Gallery
from vitreous.data.groups import groups_across_parts, groups_in_names
from vitreous.data.header import JPEG_MAGIC
from vitreous.data.jpeg_damage import is_rotten
from vitreous.data.looks import look
from vitreous.data.reading_lines import reading_record
from vitreous.data.sample import PART_NAMES, Dataset
from vitreous.data.sources.encoded import EncodedPart, class_counts, letters_of
from vitreous.data.sources.folder import FileStore, files_below
from vitreous.data.sources.folder_words import PART_FOLDERS
from vitreous.data.sources.tree import IMAGE_SUFFIXES
from vitreous.errors import BadImageError

# Of the largest class to the smallest, above which training should know.
_UNBALANCED = 10
# Longer side to shorter, above which a crop shows little of an image.
_LONG = 3
# Share of the images with a near-duplicate, and images, above which a random split is optimistic.
_MANY_TWINS, _FEW_TWINS = 0.02, 4
# Shorter side, pixels, under which there is little to see.
_SMALL = 16

Progress = Callable[[str], Callable[[float], None]]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found; positions are the gallery's.

    Attributes:
        gallery: The images.
        counts: Images by part and class.
        sizes: (H, W) once upright, zeros where an image cannot be read.
        formats: Files by format.
        odd: Kind (`examine.ODD`) -> positions.
        unreadable: Position -> kind (`examine.UNREADABLE`) and the decoder's words.
        duplicates: Pairs.
        empty: Folders without images.
        broken_links: Names of links that lead nowhere.
    """

    gallery: Gallery
    counts: dict[str, Int64[np.ndarray, " K"]]
    sizes: Int64[np.ndarray, "n 2"]
    formats: Counter[str]
    odd: dict[str, list[int]]
    unreadable: dict[int, tuple[str, str]]
    duplicates: list[Duplicate]
    empty: list[str]
    broken_links: list[str]

    @property
    def unseen(self) -> list[tuple[str, str, int]]:
        """Classes that a part has and training lacks: class, part, images."""
        if "train" not in self.counts:
            return []
        names, train = self.gallery.dataset.class_names, self.counts["train"]
        return [
            (names[label], part, int(count))
            for part, own in self.counts.items()
            for label, count in enumerate(own)
            if count and not train[label]
        ]

    def crosses_parts(self, pair: Duplicate) -> bool:
        """Whether a pair lies in two parts: a leak."""
        return self.gallery.place(pair.first)[0] != self.gallery.place(pair.second)[0]

    def crosses_classes(self, pair: Duplicate) -> bool:
        """Whether a pair has different labels: one of them is wrong."""
        return self.gallery.class_of(pair.first) != self.gallery.class_of(pair.second)

    @property
    def problems(self) -> list[str]:
        """What should be mended before training, in words; empty where nothing needs to."""
        found = []
        if self.unreadable:
            kinds = Counter(kind for kind, _ in self.unreadable.values()).most_common()
            listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds)
            found.append(f"{_images(len(self.unreadable))} cannot be read ({listed})")
        if self.broken_links:
            found.append(
                f"{_images(len(self.broken_links))} behind broken links, such as "
                f"{self.broken_links[0]}"
            )
        for name, part, count in self.unseen:
            found.append(f"class {name} of {part} ({_images(count)}) is not in train")
        dataset = self.gallery.dataset
        if dataset.reading.doubt:
            found.append(f"no labels to train a classifier on: {dataset.reading.doubt}")
        elif dataset.num_classes < 2:
            found.append("only one class")
        if torn := len(groups_across_parts(dataset)):
            found.append(
                f"{torn:,} groups ({dataset.reading.groups}) have images in several parts: what is "
                "measured on them is optimistic"
            )
        for folder in self.empty:
            found.append(f"{folder}/ holds no images")
        if across := sum(map(self.crosses_parts, self.duplicates)):
            found.append(f"{_pairs(across)} of duplicates across parts: test images that leaked")
        if wrong := sum(map(self.crosses_classes, self.duplicates)):
            found.append(f"{_pairs(wrong)} of duplicates with different labels: one is wrong")
        return found

    @property
    def notes(self) -> dict[str, str]:
        """What opening found, but for what `problems` say too."""
        return {
            subject: words
            for subject, words in self.gallery.dataset.notes.items()
            if subject != "empty parts" or not self.empty
        }

    @property
    def remarks(self) -> list[str]:
        """What is worth knowing and stops nobody, in words."""
        found = []
        inside = len(self.duplicates) - sum(map(self.crosses_parts, self.duplicates))
        if inside:
            found.append(f"{_pairs(inside)} of duplicates inside a part")
        found += self._optimistic() + _alike(self.gallery.dataset.class_names)
        counts = self.counts.get("train")
        if counts is not None and counts.any():
            present = counts[counts > 0]
            ratio = present.max() / present.min()
            if ratio > _UNBALANCED:
                found.append(f"the largest class has {ratio:.0f} times the images of the smallest")
        short, long = self.read_sizes.min(1), self.read_sizes.max(1)
        if narrow := int((long > _LONG * short).sum()):
            found.append(f"{_images(narrow)} longer than {_LONG} times their width or height")
        shared = len(np.unique(self.read_sizes, axis=0)) == 1
        if not shared and (small := int((short < _SMALL).sum())):
            found.append(f"{_images(small)} under {_SMALL} pixels")
        return found

    def _optimistic(self) -> list[str]:
        """Why a random split would flatter a model, where one would be made."""
        dataset = self.gallery.dataset
        if dataset.groups or "train" not in dataset.parts or "validation" in dataset.parts:
            return []
        found = []
        twins = {
            index
            for pair in self.duplicates
            for index in (pair.first, pair.second)
            if not self.crosses_parts(pair)
        }
        if len(twins) > max(_MANY_TWINS * len(self.gallery.labels), _FEW_TWINS):
            found.append(
                f"{_images(len(twins))} have a near-duplicate in their part: a random split would "
                "put some on both sides and be optimistic; --group-column or --group-from-name "
                "keeps images together"
            )
        if (speaking := groups_in_names(list(dataset.parts["train"].names))) is not None:
            pattern, count = speaking
            found.append(
                f"names speak of {count:,} groups of several images: a random split would part "
                f"them and be optimistic; --group-from-name '{pattern}' keeps them together"
            )
        return found

    @property
    def read_sizes(self) -> Int64[np.ndarray, "m 2"]:
        """(H, W) of the images that can be read."""
        return self.sizes[self.sizes[:, 0] > 0]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        gallery, dataset = self.gallery, self.gallery.dataset
        short = self.read_sizes.min(1) if len(self.read_sizes) else np.zeros(1)
        height, width = self.read_sizes.T if len(self.read_sizes) else np.ones((2, 1))
        return {
            "data": dataset.address,
            "num_images": len(gallery.labels),
            "parts": {name: len(part.labels) for name, part in gallery.parts[::-1]},
            "classes": [
                {"name": name, **{part: int(own[label]) for part, own in self.counts.items()}}
                for label, name in enumerate(dataset.class_names)
            ],
            "problems": self.problems,
            "remarks": self.remarks,
            "reading": reading_record(dataset),
            "groups": len(set(dataset.groups.values())),
            "groups_across_parts": groups_across_parts(dataset),
            "notes": self.notes,
            "unreadable": [
                {"name": gallery.names[index], "kind": kind, "reason": reason}
                for index, (kind, reason) in sorted(self.unreadable.items())
            ],
            "formats": dict(self.formats),
            "odd": {kind: [gallery.names[i] for i in where] for kind, where in self.odd.items()},
            "unseen_classes": [
                {"name": name, "part": part, "images": count} for name, part, count in self.unseen
            ],
            "empty_folders": self.empty,
            "broken_links": self.broken_links,
            "shorter_side": _five_numbers(short),
            "aspect_ratio": _five_numbers(width / height),
            "duplicates": [
                {
                    **self.pair_dict(pair),
                    "similarity": round(pair.similarity, 4),
                    "how": pair.how,
                }
                for pair in self.duplicates
            ],
        }

    def pair_dict(self, pair: Duplicate) -> dict[str, str]:
        """Names, parts and classes of a pair."""
        gallery = self.gallery
        return {
            "name": gallery.names[pair.first],
            "part": gallery.place(pair.first)[0],
            "class": gallery.class_of(pair.first),
            "like": gallery.names[pair.second],
            "like_part": gallery.place(pair.second)[0],
            "like_class": gallery.class_of(pair.second),
        }


def inspect(dataset: Dataset, stage: Progress | None = None) -> Inspection:
    """Read every image of a data set once, and say what was found.

    Args:
        dataset: As stored.
        stage: Told of each stage of the work; gives what is told the share that is done.
    """
    witness = _Witness(dataset)
    looks = look(witness, exact=True, on_progress=stage("reading") if stage else None)
    odd: dict[str, list[int]] = {}
    for index, facts in sorted(witness.facts.items()):
        for kind in facts.odd:
            odd.setdefault(kind, []).append(index)
    empty, broken_links = _folder_faults(dataset)
    return Inspection(
        gallery=witness,
        counts={
            name: class_counts(dataset.parts[name].labels, dataset.num_classes)
            for name in PART_NAMES
            if name in dataset.parts
        },
        sizes=witness.sizes,
        formats=Counter(facts.format for facts in witness.facts.values() if facts.format),
        odd=odd,
        unreadable={
            index: (witness.kinds[index], reason)
            for index, reason in sorted(looks.unreadable.items())
        },
        duplicates=find_duplicates(looks, on_progress=stage("comparing") if stage else None),
        empty=empty,
        broken_links=broken_links,
    )


class _Witness(Gallery):
    """A gallery that writes down what each file is while it is read."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self.sizes = np.zeros((len(self.labels), 2), np.int64)
        self.facts: dict[int, FileFacts] = {}
        self.kinds: dict[int, str] = {}

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """Decode one image, and remember its size, its oddities and its fault."""
        _, part, position = self.place(index)
        data: bytes | None = None
        try:
            if isinstance(part, EncodedPart):
                name = part.names[position]
                data = part.file(position)
                self.facts[index] = examine(data, name)
                pixels = decode(data, name, part.channels, min_side)
                if data.startswith(JPEG_MAGIC) and is_rotten(data, pixels):
                    raise BadImageError(name, ROTTEN)
            else:
                pixels = part.read(position, min_side)
        except BadImageError as error:
            encoded = isinstance(part, EncodedPart)
            self.kinds[index] = fault_kind(error, data) if encoded else "damaged"
            raise
        self.sizes[index] = pixels.shape[:2]
        return pixels


def _folder_faults(dataset: Dataset) -> tuple[list[str], list[str]]:
    """Of a folder: classes and parts in it without an image, and broken links."""
    parts = [part for part in dataset.parts.values() if isinstance(part, EncodedPart)]
    stores = [part.store for part in parts if isinstance(part.store, FileStore)]
    if not Path(dataset.address).is_dir() or len(stores) < len(dataset.parts):
        return [], []
    root = stores[0].root
    folders = {
        (os.path.dirname(name), None if np.ndim(label) else dataset.class_names[label])
        for part in parts
        for name, label in zip(part.names, part.labels, strict=True)
    }
    chains = [(above, name) for folder, name in folders for above in _upwards(folder)]
    holding = {above for above, _ in chains}
    # Elsewhere folders may hold lists and notes, as annotations/ of Pets does.
    of_classes = {
        Path(above).parent.as_posix()
        for above, name in chains
        if unicodedata.normalize("NFC", Path(above).name) == name
    }
    empty, broken = list[str](), list[str]()
    for folder, inside, files in os.walk(root):
        prefix = Path(folder).relative_to(root)
        names = [(prefix / name).as_posix() for name in files]
        broken += [name for name in names if not os.path.exists(root / name)]
        paths = {name: (prefix / name).as_posix() for name in inside if not name.startswith(".")}
        empty += [
            path
            for name, path in paths.items()
            if path not in holding
            and (prefix.as_posix() in of_classes or name.lower() in PART_FOLDERS)
            and not any(map(_is_image, files_below(root / path)))
        ]
        inside[:] = [name for name, path in paths.items() if path in holding]
    return sorted(empty), sorted(broken)


def _alike(class_names: tuple[str, ...]) -> list[str]:
    """Classes whose names differ in no letter."""
    by_letters: dict[str, list[str]] = {}
    for name in class_names:
        by_letters.setdefault(letters_of(name), []).append(name)
    return [
        f"classes {' and '.join(map(repr, names))} differ in case, blanks or marks only: are they "
        "one?"
        for names in by_letters.values()
        if len(names) > 1
    ]


def _upwards(folder: str) -> list[str]:
    """A relative folder and those around it; the root is `.`."""
    return [above.as_posix() for above in (Path(folder), *Path(folder).parents)]


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _five_numbers(values: np.ndarray) -> dict[str, float]:
    names = ("least", "5 %", "median", "95 %", "most")
    quantiles = np.quantile(values, (0, 0.05, 0.5, 0.95, 1))
    return dict(zip(names, (round(float(value), 3) for value in quantiles), strict=True))


def _images(count: int) -> str:
    return f"{count:,} image{'s' if count != 1 else ''}"


def _pairs(count: int) -> str:
    return f"{count:,} pair{'s' if count != 1 else ''}"
