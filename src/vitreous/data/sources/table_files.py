"""The files that a table's names mean: as written, with an ending, or in a folder found by looking.

Where the names as they stand lead to no files, the image files below the table's folder are listed
once, and each name is matched by its last words: `ISIC_01` is `images/ISIC_01.jpg`, and a path of
another machine is what its end says. Two files for one name are a question to the user.
"""

import os
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from vitreous.data.reading import ReadingOptions, option
from vitreous.data.sources.folder import files_below
from vitreous.data.sources.folder_words import is_annotations, is_images, part_of_folder
from vitreous.data.sources.tree import IMAGE_SUFFIXES
from vitreous.errors import UserError

_SAMPLE = 32
# Names that are tried in each folder beside the table's, and files below a folder that are listed.
_TRIED, _MOST = 3, 5_000_000
_SUFFIXES = (*IMAGE_SUFFIXES, ".npy")
# What Label Studio puts before the name of a file that was uploaded.
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")


@dataclass(frozen=True)
class Files:
    """The places of a table's images.

    Attributes:
        root: What the names are relative to.
        names: Of each row.
        how: How they were found, in words; empty where names are paths as they stand.
        missing: How many names no file was found for, of those searched.
    """

    root: Path
    names: list[str]
    how: str = ""
    missing: int = 0


def find_files(
    names: list[str], parts: Sequence[str], root: Path, address: str, options: ReadingOptions
) -> Files:
    """Find the images.

    Args:
        names: As the table has them, with forward slashes.
        parts: Of each row, its part where known, to choose between folders; else empty.
        root: The table's folder.
        address: What the user typed.
        options: With the folder and the ending, where the user gave them.

    Raises:
        UserError: No name leads to a file, or names lead to files in two folders.
    """
    if options.image_root is not None or options.image_suffix is not None:
        return _as_asked(names, root, address, options)
    places = sorted(set(np.linspace(0, len(names) - 1, _SAMPLE).astype(int).tolist()))
    sample = [names[place] for place in places]
    there = sum(map(_is_file, (os.path.join(root, name) for name in sample)))
    if 2 * there >= len(sample):
        return Files(root, names)
    found = _search(names, parts, root, address)
    if found is not None:
        return found
    for base in (root.parent, root.parent.parent, Path.cwd()):
        if any(_is_file(base / name) for name in sample):
            return Files(base.absolute(), names, f"paths from {base}")
    for folder in _beside(root, sample):
        if (beside := _search(names, parts, folder, address)) is not None:
            return beside
    raise UserError(
        f"{address}: none of {len(sample)} images looked at can be found ({sample[0]} is neither "
        "beside the table nor in a folder below it): give --image-root FOLDER, or --image-suffix "
        ".ENDING"
    )


def _is_file(path: str | Path) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:  # a name with a zero byte
        return False


def _as_asked(names: list[str], root: Path, address: str, options: ReadingOptions) -> Files:
    base = root
    if options.image_root is not None:
        asked = Path(options.image_root)
        base = next((one for one in (root / asked, asked) if one.is_dir()), root / asked)
        if not base.is_dir():
            raise UserError(f"{address}: --image-root {asked} is no folder: give one that is there")
    suffix = options.image_suffix or ""
    named = [name if name.endswith(suffix) else name + suffix for name in names]
    if options.image_suffix is None and not any(_is_file(base / name) for name in named[:_SAMPLE]):
        if (found := _search(names, [], base.absolute(), address)) is not None:
            return replace(found, how=f"of --image-root {options.image_root}")
        raise UserError(
            f"{address}: {names[0]} is not in --image-root {options.image_root}: give another, or "
            "--image-suffix .ENDING"
        )
    given = [name for name in options.given if name.startswith("image_")]
    how = " and ".join(f"{option(name)} {getattr(options, name)}" for name in given)
    return Files(base.absolute(), named, f"of {how}")


def _beside(root: Path, sample: Sequence[str]) -> list[Path]:
    """Folders beside the table's with a file of the first names; nothing deeper is looked at."""
    try:
        inside = sorted(path for path in root.absolute().parent.iterdir() if path.is_dir())
    except OSError:
        return []
    bases = [posixpath.basename(name) for name in sample[:_TRIED]]
    ends = ("", *_SUFFIXES, *(suffix.upper() for suffix in _SUFFIXES))
    return [
        path
        for path in inside
        if path != root.absolute()
        and any(_is_file(path / (b + end)) for b in bases for end in ends)
    ]


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _search(names: list[str], parts: Sequence[str], root: Path, address: str) -> Files | None:
    """Match names to the image files below a folder; None where hardly any is there."""
    bare = [_bare(name) for name in names]
    wanted = {key for name in bare for key in _keys(name)}
    candidates: dict[str, list[str]] = {}
    try:
        for file in islice(files_below(root), _MOST):
            stem, ending = posixpath.splitext(file)
            if ending.lower() in _SUFFIXES:
                base = posixpath.basename(file)
                for key in {_key(base), _key(posixpath.basename(stem))} & wanted:
                    candidates.setdefault(key, []).append(file)
    except OSError as fault:
        raise UserError(
            f"{address}: cannot list {fault.filename} ({fault.strerror}): make it readable"
        ) from fault
    found = [
        _best(name, next((candidates[key] for key in _keys(name) if key in candidates), []))
        for name in bare
    ]
    missing = sum(not own for own in found)
    if 2 * missing > len(names):
        return None
    chosen = _choose(found, parts, address)
    resolved = [
        chosen[row] if own else name
        for row, (name, own) in enumerate(zip(names, found, strict=True))
    ]
    folders = Counter(posixpath.dirname(resolved[row]) for row, own in enumerate(found) if own)
    common = ", ".join(f"{folder or '.'}/" for folder, _ in folders.most_common(3))
    return Files(root, resolved, f"found by name in {common}", missing)


def _bare(name: str) -> str:
    """A name without what exports put around it: the address of a server, and its escapes."""
    name = re.sub(r"^[a-z0-9+]{2,}://", "", name)
    if "?d=" in name:
        name = name.partition("?d=")[2]
    return unquote(name) if "%" in name else name


def _keys(name: str) -> list[str]:
    """Return what a file of this name may be found by, the surest first."""
    base = posixpath.basename(name)
    return list(dict.fromkeys((_key(base), _key(_UPLOAD.sub("", base)))))


def _best(name: str, files: list[str]) -> list[str]:
    """The files that agree with most of a path's end; masks only where there is nothing else.

    Where a path names folders, a file in another folder is not meant, unless it lies beside the
    table or in a folder whose name says nothing.
    """
    images = [
        file for file in files if not any(map(is_annotations, posixpath.dirname(file).split("/")))
    ]
    files = images or files
    words = name.split("/")[:-1]
    agree = [_agreement(words, file.split("/")[:-1]) for file in files]
    most = max(agree, default=0)
    files = [file for file, own in zip(files, agree, strict=True) if own == most]
    if words and not most:
        files = [file for file in files if _says_nothing(posixpath.dirname(file))]
    exact = [file for file in files if posixpath.basename(file) == posixpath.basename(name)]
    return exact or files


def _says_nothing(folder: str) -> bool:
    return not folder or is_images(posixpath.basename(folder))


def _agreement(words: list[str], folders: list[str]) -> int:
    count = 0
    for one, other in zip(reversed(words), reversed(folders), strict=False):
        if one != other:
            break
        count += 1
    return count


def _choose(found: list[list[str]], parts: Sequence[str], address: str) -> Mapping[int, str]:
    """One file a row, where that is certain."""
    chosen = {row: files[0] for row, files in enumerate(found) if len(files) == 1}
    doubtful = {row: files for row, files in enumerate(found) if len(files) > 1}
    if not doubtful:
        return chosen
    for row, files in list(doubtful.items()):
        part = parts[row] if parts else ""
        own = [file for file in files if part and part in map(part_of_folder, file.split("/")[:-1])]
        if len(own) == 1:
            chosen[row] = own[0]
            del doubtful[row]
    if doubtful:
        first = next(iter(doubtful.values()))
        folders = sorted({posixpath.dirname(file) for file in first})
        if len(folders) > 1:
            listed = " or ".join(f"--image-root {folder or '.'}" for folder in folders[:4])
        else:
            endings = sorted({posixpath.splitext(file)[1] for file in first})
            listed = " or ".join(f"--image-suffix {ending}" for ending in endings)
        raise UserError(
            f"{address}: {len(doubtful)} of its images may be either of several files, such as "
            f"{first[0]} and {first[1]}: give {listed}"
        )
    return chosen
