"""The images of a tree of files with their parts and classes, and what was left out.

Folders are told apart by `vitreous.data.sources.folder_layout`. Hidden files and folders, those of
operating systems, files of other kinds, masks (`x_mask.png` beside `x.png`) and images outside the
class folders are ignored; what is not hidden is counted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import normpath, splitext
from unicodedata import normalize

from vitreous.data.reading import TREE_OPTIONS, UNLABELLED, Reading, ReadingOptions, searched
from vitreous.data.sample import PART_NAMES
from vitreous.data.sources.encoded import Entry
from vitreous.data.sources.folder_layout import IGNORED, Layout, lay_out
from vitreous.data.sources.folder_tree import Folder, grow
from vitreous.data.sources.folder_words import (
    SYSTEM_FOLDERS,
    is_images,
    masked_stem,
    may_hold_masks,
)
from vitreous.errors import UserError

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .dib .tif .tiff .avif .ppm .pgm .pbm .pnm".split()
)
"""Endings (any case) by which a file counts as an image."""

# A name such as cat.12 or tabby cat (3): words, then a number.
_NUMBERED = re.compile(r"([^\W\d][\w &-]*?)[\s._-]*\(?\d+\)?")
_CAMERAS = frozenset(
    "dsc dscn dscf dscp mvi pxl vid p sam gopr dji screenshot screen whatsapp frame fig figure id "
    "scan page snap capture isic item sample n".split()
)
_LABEL_PATTERN = r"^(.+?)[\s._-]*\(?\d+"


@dataclass(frozen=True)
class Tree:
    """The images of a tree of files.

    Attributes:
        entries: Images in the order of their names; without labels, all of one class.
        notes: What was ignored, by subject, in words.
        reading: What was taken for what.
    """

    entries: list[Entry]
    notes: dict[str, str]
    reading: Reading


def class_tree(files: Iterable[str], address: str, options: ReadingOptions | None = None) -> Tree:
    """Sort the files of a tree into parts and classes.

    Args:
        files: Paths inside the tree, with forward slashes.
        address: What the user typed, for messages.
        options: What the user decided.

    Raises:
        UserError: No images, or options that fit none of them.
    """
    options = options or ReadingOptions()
    folders, others = _images(files)
    if not folders:
        found = f" (only {_kinds(others)})" if others else ""
        raise UserError(
            f"{address}: no images in it{found}: put each class's images (JPEG, PNG, WebP, GIF, "
            "BMP, TIFF, AVIF or PNM) into a folder of its own"
        )
    masks = _take_masks(folders)
    layout = _layout(grow(folders), address, options)
    notes: dict[str, str] = {}
    if others:
        notes["other files"] = f"ignored {_kinds(others)}"
    if masks:
        notes["mask files"] = (
            f"ignored {masks} files that look like masks of the images beside them"
        )
    if options.label_from_name is not None:
        entries = _named(folders, layout, options.label_from_name, address, notes)
        layout.doubt, layout.classes = "", f"--label-from-name {options.label_from_name}"
    else:
        entries = _placed(folders, layout)
        settled = any(name in options.given for name in TREE_OPTIONS)
        _note_ignored(folders, layout, len(entries), notes, settled=settled)
    if layout.doubt and not layout.asks:
        layout.asks = options.layout == "auto" and _in_names(folders) is not None
        layout.doubt = _no_labels(folders, layout, len(entries))
    if layout.doubt:
        entries = [entry._replace(class_name=UNLABELLED) for entry in entries]
    entries.sort()
    parts = ", ".join(f"{layout.sources[p]} is {p}" for p in PART_NAMES if p in layout.sources)
    reading = Reading(classes=layout.classes, parts=parts, doubt=layout.doubt, asks=layout.asks)
    return Tree(entries, notes, reading)


def _images(files: Iterable[str]) -> tuple[dict[str, list[str]], Counter[str]]:
    """File names of images by folder (with a slash at its end), and other files by ending."""
    folders: dict[str, list[str]] = {}
    others = Counter[str]()
    passed: dict[str, bool] = {}
    for path in files:
        folder, slash, name = path.rpartition("/")
        folder += slash
        if folder not in passed:
            passed[folder] = any(
                word.startswith(".") or word in SYSTEM_FOLDERS for word in folder.split("/")
            )
        if passed[folder] or name.startswith("."):
            continue
        suffix = name[name.rfind(".") :].lower() if "." in name else ""
        if suffix in IMAGE_SUFFIXES:
            folders.setdefault(folder, []).append(name)
        else:
            others[suffix or "no ending"] += 1
    return folders, others


def _take_masks(folders: Mapping[str, list[str]]) -> int:
    """Take masks out of the folder of their images; how many they were."""
    taken = 0
    for names in folders.values():
        if not may_hold_masks(names):
            continue
        candidates = {name: base for name in names if (base := masked_stem(splitext(name)[0]))}
        if not candidates:
            continue
        stems = {splitext(name)[0] for name in names}
        masks = {name for name, base in candidates.items() if base in stems}
        names[:] = [name for name in names if name not in masks]
        taken += len(masks)
    return taken


def _layout(root: Folder, address: str, options: ReadingOptions) -> Layout:
    """The layout of all, or of the folders that the user named as parts."""
    chosen = {
        part: _relative(path, address)
        for part in PART_NAMES
        if (path := getattr(options, f"{part}_folder")) is not None
    }
    if not chosen:
        return lay_out(root, options.layout)
    named: dict[str, Folder] = {}
    for part, path in chosen.items():
        inner = root.cut(path)
        if inner is None:
            have = ", ".join(sorted(one.path for one in root.below() if one.path)[:5])
            raise UserError(
                f"{address}: no images in --{part}-folder {path}: give a folder inside, such as "
                f"{have or 'none: there are no folders'}"
            )
        named[part] = inner
    if "train" in named or not root.count():
        whole = Layout()
        for folder in root.children.values():
            whole.ignore("elsewhere", folder)
    else:
        whole = lay_out(root, options.layout)
        for path, (part, _) in list(whole.placed.items()):
            if part in named:
                del whole.placed[path]
                whole.ignored.setdefault("elsewhere", []).append(path)
    layout = "auto" if options.layout == "parts" else options.layout
    for part, inner in named.items():
        own = lay_out(inner, layout)
        if part != "train" and own.doubt and not own.asks and whole.placed and not whole.doubt:
            whole.ignore("unlabelled", inner)
            continue
        whole.placed |= {folder: (part, name) for folder, (_, name) in own.placed.items()}
        whole.sources[part] = chosen[part]
        whole.doubt, whole.asks = whole.doubt or own.doubt, whole.asks or own.asks
        for why, paths in own.ignored.items():
            whole.ignored.setdefault(why, []).extend(paths)
    whole.classes = f"names of the folders in {', '.join(whole.sources.values())}"
    return whole


def _relative(path: str, address: str) -> str:
    """A folder as the tree has it, typed from inside the tree or from where the user is."""
    path = normpath(path.replace("\\", "/"))
    around = normpath(address.replace("\\", "/")) + "/"
    return path.removeprefix(around).strip("/") + "/"


def _placed(folders: Mapping[str, list[str]], layout: Layout) -> list[Entry]:
    entries = []
    for folder, names in folders.items():
        if folder not in layout.placed:
            continue
        part, class_name = layout.placed[folder]
        if class_name is None and not layout.doubt:
            continue
        entries += [Entry(folder + name, part, class_name or UNLABELLED) for name in names]
    return entries


def _named(
    folders: Mapping[str, list[str]],
    layout: Layout,
    expression: str,
    address: str,
    notes: dict[str, str],
) -> list[Entry]:
    """Labels by file names, parts by folders."""
    pattern, entries, without = re.compile(expression), list[Entry](), list[str]()
    gone = tuple(path for paths in layout.ignored.values() for path in paths)
    for folder, names in folders.items():
        if gone and folder.startswith(gone):
            continue
        part = layout.placed.get(folder, ("train", None))[0]
        for name in names:
            label = searched(pattern, name)
            if label is None:
                without.append(folder + name)
            else:
                entries.append(Entry(folder + name, part, normalize("NFC", label.strip())))
    if not entries:
        raise UserError(
            f"{address}: --label-from-name {expression!r} finds no label in any name, "
            f"such as {without[0] if without else 'none'}: mend the expression"
        )
    if without:
        notes["names"] = (
            f"ignored {len(without)} images whose names --label-from-name does not fit, such as "
            f"{without[0]}"
        )
    _note_ignored(folders, layout, len(entries) + len(without), notes, settled=True)
    return entries


def _note_ignored(
    folders: Mapping[str, list[str]],
    layout: Layout,
    used: int,
    notes: dict[str, str],
    *,
    settled: bool,
) -> None:
    """Count what is left out; ask where it is most of the images, unless the user has decided."""
    left = 0
    for why, paths in layout.ignored.items():
        below = tuple(paths)
        count = sum(len(names) for folder, names in folders.items() if folder.startswith(below))
        if count:
            left += count
            shown = ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
            notes[why] = f"ignored {count} images of {shown}, which {IGNORED[why]}"
    outside = sum(map(len, folders.values())) - used - left
    if outside > 0:
        notes["outside"] = f"ignored {outside} images outside the class folders"
    if outside > used and not layout.doubt and not settled:
        layout.ask(
            f"{outside} images lie outside the class folders, which hold {used}: --layout classes "
            "takes the folders alone, --layout flat all images without labels"
        )


def _no_labels(folders: Mapping[str, list[str]], layout: Layout, count: int) -> str:
    """Why there are no labels, and what to do."""
    if layout.doubt != "no class folders":
        return layout.doubt
    tops = list(layout.sources.values())
    where = "it"
    if tops:
        are = "are parts" if len(tops) > 1 else "is a part"
        where = f"its part folders ({' and '.join(tops)} {are}, not classes)"
    fix = "put each class's images into a folder of its own, as in CLASS/image.jpg"
    if (found := _in_names(folders)) is not None:
        fix = (
            f"labels that are in the file names ({', '.join(found[:3])}) are read with "
            f"--label-from-name '{_LABEL_PATTERN}'; or {fix}, or give a table of path and label; "
            "--layout flat reads no labels"
        )
    elif tops:
        fix += ", or give a table of path and label; --layout classes takes them as classes"
    return f"{count} images but no class folders in {where}: {fix}"


def _in_names(folders: Mapping[str, list[str]]) -> list[str] | None:
    """Labels that file names seem to begin with; None where they do not."""
    words, without = Counter[str](), 0
    for names in folders.values():
        for name in names:
            if (found := _NUMBERED.fullmatch(splitext(name)[0])) is not None:
                words[found[1].strip(" _-").lower()] += 1
            else:
                without += 1
    several = [
        word
        for word, count in words.items()
        if count > 1 and not is_images(word) and word not in _CAMERAS
    ]
    if len(several) < 2 or sum(words.values()) < without or 2 * len(several) > words.total():
        return None
    return sorted(several)


def _kinds(others: Counter[str]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(3))
