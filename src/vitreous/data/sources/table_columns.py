"""The meaning of a table's columns: paths, labels, parts, groups, and those that are none of these.

Names are known in any case and with any mark between words (`Image ID` is image_id). Where two
columns could be the labels, or the paths, the user is asked by name.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from vitreous.data.reading import ReadingOptions
from vitreous.data.sources.column_names import (
    BARE_PARTS,
    FLAG_PARTS,
    GROUPS,
    LABELS,
    MUST_BE_PARTS,
    NO_CLASSES,
    PARTS,
    PATHS,
    PLURAL,
)
from vitreous.data.sources.table_text import Cell, Table, spelt
from vitreous.data.sources.tree import IMAGE_SUFFIXES
from vitreous.errors import UserError

_MORE_LABELS = re.compile(r"(label|class|target|category)_?\d+")
# Digits of a number that counts rows.
_LONGEST = 19
_MORE_PATHS = re.compile(r"path([2-9]|[1-9]\d{1,3})")
_DATE = re.compile(r"\d{4}[-/]\d\d?[-/]\d\d?|\d\d?[./]\d\d?[./]\d{4}")
_BITS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "no": 0, "yes": 1,
         "-1": -1, "-1.0": -1}  # fmt: skip
_YES = frozenset(("1", "1.0", "true", "yes", "y", "t"))
_NO = frozenset(("0", "0.0", "false", "no", "n", "f", ""))


@dataclass
class Columns:
    """The roles of the columns of a table.

    Attributes:
        path: Of the images.
        more: Of further files of the same images, in order.
        label: Of labels; None where there is none or `flags` are the labels.
        flags: Columns of zeros and ones, one a class.
        plural: Whether the label column's name or the user speaks of several labels.
        part: Of words for parts.
        part_flags: Columns of yes and no -> the parts that they mean.
        validates: With `part`, the one value whose rows validate.
        group: Of groups.
        unused: Column -> why it is not used.
        doubt: Why there are no labels; empty where there are.
        asks: Whether the doubt is a choice between columns.
    """

    path: str
    more: list[str] = field(default_factory=list)
    label: str | None = None
    flags: tuple[str, ...] = ()
    plural: bool = False
    part: str | None = None
    part_flags: dict[str, tuple[str, str]] = field(default_factory=dict)
    validates: str | None = None
    group: str | None = None
    unused: dict[str, str] = field(default_factory=dict)
    doubt: str = ""
    asks: bool = False


def tell_columns(table: Table, options: ReadingOptions) -> Columns:
    """Tell the columns by their names and cells.

    Raises:
        UserError: There is no column of paths, or more than one that could be; an option names a
            column that is not there; or the first line is no header.
    """
    _require_header(table)
    columns = Columns(_path_column(table, options))
    columns.more = sorted(
        (n for n in table.columns if _MORE_PATHS.fullmatch(n.lower())),
        key=lambda n: int(n[len("path") :]),
    )
    rest = [name for name in table.columns if name not in (columns.path, *columns.more)]
    rest = _take_parts(table, rest, columns, options)
    rest = _take_group(table, rest, columns, options)
    for name in [name for name in rest if _is_index(name, table)]:
        columns.unused[name] = "counts the rows"
        rest.remove(name)
    _take_labels(table, rest, columns, options)
    return columns


def _require_header(table: Table) -> None:
    for name in table.columns:
        if name.lower().endswith(tuple(IMAGE_SUFFIXES)):
            raise UserError(
                f"{table.address}: its first line names an image ({name}) and no columns: write a "
                "header such as path,label above it"
            )


def _path_column(table: Table, options: ReadingOptions) -> str:
    if options.path_column is not None:
        return _asked(table, options.path_column, "path")
    known = [name for name in table.columns if spelt(name) in PATHS]
    files = [
        name for name in table.columns if not _MORE_PATHS.fullmatch(name.lower()) and
        _are_files(table.columns[name])
    ]  # fmt: skip
    named = [name for name in files if name in known]
    # A column of file names is surer than one of ids, and a known name than any other.
    found = named or (files if len(files) == 1 or not known else []) or known
    if not found:
        raise UserError(
            f"{table.address}, line 2: no path among {', '.join(table.columns) or 'no columns'}: "
            "name a column path, file_name or image, or give --path-column"
        )
    found.sort(key=lambda n: PATHS.index(spelt(n)) if spelt(n) in PATHS else len(PATHS))
    if len(found) > 1 and found[0] in files:
        first = [_stem(text) for text in table.texts(found[0])]
        other = next(
            (n for n in found[1:] if [_stem(t) for t in table.texts(n)] != first), None
        )  # fmt: skip
        if other is not None:
            raise UserError(
                f"{table.address}: columns {found[0]} and {other} both name images: give one with "
                f"--path-column {found[0]} or --path-column {other}"
            )
    return found[0]


def _stem(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def _are_files(cells: Sequence[Cell]) -> bool:
    sample = [cell for cell in cells[:: max(1, len(cells) // 64)]]
    return bool(sample) and all(
        isinstance(cell, str)
        and cell.strip().lower().endswith(tuple(IMAGE_SUFFIXES))
        and "://" not in cell
        for cell in sample
    )


def _asked(table: Table, name: str, what: str) -> str:
    """The column of an option, in the table's spelling."""
    found = [own for own in table.columns if own == name] or [
        own for own in table.columns if spelt(own) == spelt(name)
    ]
    if not found:
        raise UserError(
            f"{table.address}: --{what}-column {name} is not among {', '.join(table.columns)}"
        )
    return found[0]


def _take_parts(
    table: Table, rest: list[str], columns: Columns, options: ReadingOptions
) -> list[str]:
    asked = options.split_column
    if asked is not None and asked.lower() != "none":
        name, _, value = asked.partition("=")
        columns.part = _asked(table, name, "split")
        columns.validates = value or None
        meant = {**FLAG_PARTS, **BARE_PARTS}.get(spelt(columns.part))
        if meant is not None and not value:
            columns.part_flags, columns.part = {columns.part: meant}, None
    own, labelled = (columns.part, *columns.part_flags), bool(_known_labels(rest))
    for name in [name for name in rest if name not in own]:
        word, texts = spelt(name), None
        meant = FLAG_PARTS.get(word) or (BARE_PARTS.get(word) if labelled else None)
        if meant or word in PARTS or "fold" in word.split("_") or word == "kfold":
            texts = set(table.texts(name))
        if texts is None:
            continue
        if asked is not None:
            columns.unused[name] = "is not the split that was asked for"
        elif meant and {text.lower() for text in texts} <= _YES | _NO:
            columns.part_flags[name] = meant
        elif word in PARTS and _are_parts(texts):
            if columns.part is None:
                columns.part = name
            else:
                columns.unused[name] = f"{columns.part} says the parts"
        elif word in MUST_BE_PARTS:
            columns.part = columns.part or name  # what it holds is told where rows are read
        else:
            example = min(texts, default="0")
            columns.unused[name] = f"--split-column {name}={example} validates on one value"
    return [
        name for name in rest if name not in (columns.part, *columns.part_flags, *columns.unused)
    ]


def _are_parts(texts: Iterable[str]) -> bool:
    from vitreous.data.sources.folder_words import part_of_folder

    return all(part_of_folder(text) is not None for text in texts)


def _take_group(
    table: Table, rest: list[str], columns: Columns, options: ReadingOptions
) -> list[str]:
    asked = options.group_column
    if asked is not None and asked.lower() != "none":
        columns.group = _asked(table, asked, "group")
        return [name for name in rest if name != columns.group]
    for name in [name for name in rest if spelt(name) in GROUPS]:
        texts = [text for text in table.texts(name) if text]
        if not texts or options.label_column == name:
            continue
        if len(set(texts)) in (1, len(texts)):
            columns.unused[name] = "has no value of several images, or one of all"
        elif asked is not None or options.group_from_name is not None:
            columns.unused[name] = "is not the group that was asked for"
        elif columns.group is None and len(rest) > 1:
            columns.group = name
        else:
            continue
        rest = [own for own in rest if own != name]
    return rest


def _is_index(name: str, table: Table) -> bool:
    """Return whether a column is the number of the row, as pandas writes it."""
    if name and spelt(name) not in ("index", "idx", "level_0") and not re.fullmatch(
        r"Unnamed: \d+", name
    ):  # fmt: skip
        return False
    texts = table.texts(name)
    if not all(text.isdecimal() and len(text) < _LONGEST for text in texts):
        return False
    numbers = list(map(int, texts))
    return all(b > a for a, b in pairwise(numbers)) or len(set(numbers)) == len(numbers)


def _take_labels(table: Table, rest: list[str], columns: Columns, options: ReadingOptions) -> None:
    if options.label_from_name is not None:
        columns.label = columns.path
    elif options.label_column is not None:
        names = [_asked(table, name.strip(), "label") for name in _split(options, table)]
        if len(names) > 1:
            columns.flags = tuple(names)
        else:
            columns.label = names[0]
            columns.plural = spelt(names[0]) in PLURAL
    else:
        _find_labels(table, rest, columns)
    for name in rest:
        if name not in (columns.label, *columns.flags):
            columns.unused.setdefault(name, _why_unused(name, columns))


def _split(options: ReadingOptions, table: Table) -> list[str]:
    whole = str(options.label_column)
    return [whole] if whole in table.columns else whole.split(",")


def _find_labels(table: Table, rest: list[str], columns: Columns) -> None:
    known = _known_labels(rest)
    flags = [name for name in rest if name not in known and _is_flag(name, table)]
    if known:
        columns.label = _one_label(table, known, columns)
        columns.plural = columns.label is not None and spelt(columns.label) in PLURAL
    elif len(flags) > 1:
        _check_flags(table, rest, flags)
        columns.flags = tuple(flags)
    elif len(rest) == 1 and _could_be_label(rest[0], table):
        columns.label = rest[0]
        columns.plural = spelt(rest[0]) in PLURAL
    else:
        likely = [name for name in rest if _could_be_label(name, table)]
        columns.asks = bool(likely)
        names = ", ".join(table.columns)
        columns.doubt = f"no label among {names}: name a column label, or give --label-column " + (
            " or --label-column ".join(likely[:3]) if likely else "NAME"
        )


def _known_labels(names: Iterable[str]) -> list[str]:
    """Columns that are called as labels are; `y` beside `x` is a place in the image."""
    spelt_as = {name: spelt(name) for name in names}
    return [
        name
        for name, word in spelt_as.items()
        if (word in LABELS or _MORE_LABELS.fullmatch(word))
        and not (word == "y" and "x" in spelt_as.values())
    ]


def _one_label(table: Table, known: list[str], columns: Columns) -> str | None:
    """One of several columns, where they say the same; else None, and a doubt."""
    known.sort(key=lambda n: LABELS.index(spelt(n)) if spelt(n) in LABELS else len(LABELS))
    first = known[0]
    for other in known[1:]:
        pairs = set(zip(table.texts(first), table.texts(other), strict=True))
        if not len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}):
            columns.doubt = (
                f"columns {first} and {other} could both be the labels: give --label-column "
                f"{first} or --label-column {other}"
            )
            columns.asks = True
            return None
    words = (name for name in known if not all(map(_is_number, table.texts(name))))
    return next(words, first)


def _is_flag(name: str, table: Table) -> bool:
    """Return whether a column is one of a class: zeros and ones in most of its rows."""
    if not name or spelt(name) in NO_CLASSES or spelt(name) in GROUPS:
        return False
    texts = table.texts(name)
    bits = sum(text.lower() in _BITS for text in texts)
    return bits > 0 and 2 * bits >= len(texts)


def _check_flags(table: Table, rest: list[str], flags: list[str]) -> None:
    """Refuse cells that are neither, and minus ones beside zeros, which nobody can tell."""
    for name in flags:
        texts = [text.lower() for text in table.texts(name)]
        negative = any(text.startswith("-1") for text in texts)
        for row, text in enumerate(texts):
            zero = text in ("0", "0.0", "false")
            if text not in _BITS or (negative and zero):
                said = "-1 beside 0" if negative and zero else repr(text)
                raise UserError(
                    f"{table.place(row)}: {name} is {said}: a column of a class holds 0 or 1; "
                    "name those that are classes with --label-column A,B"
                )


def bits_of(table: Table, name: str) -> list[bool]:
    """A column of zeros and ones, or of minus ones and ones."""
    rows = []
    for row, text in enumerate(table.texts(name)):
        if text.lower() not in _BITS:
            raise UserError(
                f"{table.place(row)}: {name} is {text!r}: a column of a class holds 0 or 1"
            )
        rows.append(_BITS[text.lower()] > 0)
    return rows


def yes(text: str) -> bool:
    """Return whether a cell of a yes-or-no column says yes."""
    return text.strip().lower() in _YES


def _could_be_label(name: str, table: Table) -> bool:
    word = spelt(name)
    if not name or word in NO_CLASSES or word.endswith(("_at", "_time", "_date")):
        return False
    cells = table.columns[name]
    if any(isinstance(cell, dict) for cell in cells):
        return False
    texts = table.texts(name)
    if all(_DATE.match(text) for text in texts):
        return False
    return len(set(texts)) < len(texts) or any(isinstance(cell, list) for cell in cells)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _why_unused(name: str, columns: Columns) -> str:
    if spelt(name) in NO_CLASSES:
        return "is no class"
    taken = columns.label or ("the columns of classes" if columns.flags else "")
    return f"the labels are {taken}" if taken else "is no label"
