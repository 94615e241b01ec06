"""From cells to labels: one name a cell, several by a mark or as a list, or columns of bits."""

import ast
import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from vitreous.data.reading import ReadingOptions, searched
from vitreous.data.sample import Labels
from vitreous.data.sources.table_columns import Columns, bits_of
from vitreous.data.sources.table_text import Cell, Table
from vitreous.errors import UserError

Words = tuple[str, ...]

# Marks that hardly stand in the name of a class, and those that often do.
_SURE, _UNSURE = ";|", (",", "/", "+", "&", " ")
# Share of rows with several labels, below which a column is one of single labels.
_FEW = 0.05
# Share of pieces that cells have in common, from which they are labels and not parts of a name: in
# a column of labels, and where they may be in a column of one label.
_SOME, _MANY = 0.5, 0.75
_NAMES = {" ": "space", ",": "comma", ";": "semicolon", "|": "bar", "/": "slash", "+": "plus"}


@dataclass(frozen=True)
class CellLabels:
    """Labels of a table's rows.

    Attributes:
        words: Of each row.
        several: Whether an image may have several, or none.
        how: Where they come from, in words.
        class_names: In order, where the columns give it; else empty.
        doubt: Why they cannot be used; empty where they can.
    """

    words: list[Words]
    several: bool
    how: str
    class_names: Words = ()
    doubt: str = ""

    def coded(self) -> tuple[Words, Labels]:
        """Class names, and class indices or multi-hot rows."""
        names = self.class_names or tuple(sorted({word for words in self.words for word in words}))
        place = {name: number for number, name in enumerate(names)}
        if not self.several:
            return names, np.array([place[words[0]] for words in self.words], np.int64)
        rows = np.zeros((len(self.words), len(names)), np.uint8)
        for row, words in zip(rows, self.words, strict=True):
            row[[place[word] for word in words]] = 1
        return names, rows


def table_labels(table: Table, columns: Columns, options: ReadingOptions) -> CellLabels:
    """Labels of all rows.

    Where every row has exactly one label they are one an image, unless the user says several.

    Raises:
        UserError: A cell is empty where one label is needed, holds no label, or several where one
            was asked for.
    """
    if columns.flags:
        found = _from_flags(table, columns.flags)
    elif options.label_from_name is not None:
        found = _from_names(table, columns.path, options.label_from_name)
    else:
        assert columns.label is not None, "tell_columns gives labels or a doubt"
        found = _from_cells(table, columns.label, columns.plural, options)
    if not found.doubt and found.several and options.labels_per_image != "several":
        if all(len(words) == 1 for words in found.words):
            how = f"{found.how}, of which each image has exactly one"
            return replace(found, several=False, how=how)
        if options.labels_per_image == "one":
            row = next(row for row, words in enumerate(found.words) if len(words) != 1)
            raise UserError(
                f"{table.place(row)}: {len(found.words[row])} labels, and --labels-per-image one"
            )
    if options.labels_per_image == "several":
        return replace(found, several=True)
    return found


def _from_flags(table: Table, flags: Words) -> CellLabels:
    bits = np.array([bits_of(table, name) for name in flags]).T
    words = [tuple(flags[place] for place in np.flatnonzero(row)) for row in bits]
    listed = ", ".join(flags[:5]) + (", ..." if len(flags) > 5 else "")
    return CellLabels(words, True, f"columns {listed}", flags)


def _from_names(table: Table, path: str, expression: str) -> CellLabels:
    pattern, words = re.compile(expression), list[Words]()
    for row, text in enumerate(table.texts(path)):
        label = searched(pattern, text)
        if label is None:
            raise UserError(
                f"{table.place(row)}: --label-from-name {expression!r} finds no label in {text}"
            )
        words.append((_plain(label),))
    return CellLabels(words, False, f"--label-from-name {expression}")


def _from_cells(table: Table, column: str, plural: bool, options: ReadingOptions) -> CellLabels:
    cells = [_listed(cell) for cell in table.columns[column]]
    how, mark = f"column {column}", options.separator
    lists = any(isinstance(cell, list) for cell in cells)
    texts = {cell for cell in cells if isinstance(cell, str) and cell}
    if mark is None:
        mark, doubt = _mark(texts, column, plural)
        if mark == _SURE and not plural:
            _require_many(table, column, cells)
        if doubt:
            return CellLabels([], False, how, doubt=doubt)
    for row, cell in enumerate(cells):
        if isinstance(cell, str) and cell.startswith("[") and not cell.endswith("]"):
            raise UserError(f"{table.place(row)}: {column} is a list without an end: {cell[:40]}")
    words = [_words(cell, mark) for cell in cells]
    several = lists or bool(mark) or plural
    if mark and any(mark in text for text in texts):
        said = _NAMES.get(mark, mark) if len(mark) == 1 else "semicolon or bar"
        how = f"{how}, split by {said}"
    if not several:
        for row, own in enumerate(words):
            if not own:
                raise UserError(
                    f"{table.place(row)}: the label is empty: fill it in, or take the row out"
                )
        words = _whole_numbers(words, table, column)
    if not any(words):
        raise UserError(f"{table.address}: no row has a label: fill the {column} column in")
    return CellLabels(words, several, how)


def _require_many(table: Table, column: str, cells: list[str | list[str]]) -> None:
    """Refuse the few cells of several labels in a column of one each: they are rather mistakes."""
    marked = [
        row
        for row, cell in enumerate(cells)
        if isinstance(cell, str) and any(mark in cell for mark in _SURE)
    ]
    if len(marked) < _FEW * len(cells):
        raise UserError(
            f"{table.place(marked[0])}: {column} {cells[marked[0]]!r} is more than one: give one "
            "label an image, or --label-separator semicolon"
        )


def _listed(cell: Cell) -> str | list[str]:
    """A cell's text, or the list that it is or spells."""
    if isinstance(cell, list):
        return [str(word).strip() for word in cell if str(word).strip()]
    text = "" if cell is None else str(cell).strip()
    if not (text[:1] in ("[", "(", "{") and text[-1:] in ("]", ")", "}")):
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list | tuple | set):
            return sorted(map(str, value)) if isinstance(value, set) else [str(w) for w in value]
    if text.startswith("[") and text.endswith("]"):  # [cat, dog], as NumPy and people write it
        return [word for word in re.split(r"[\s,]+", text[1:-1].replace("'", "")) if word]
    return text


def _words(cell: str | list[str], mark: str) -> Words:
    if isinstance(cell, list):
        pieces = cell
    elif not mark:
        pieces = [cell]
    else:
        pieces = re.split(f"[{re.escape(mark)}]", cell) if mark != " " else cell.split()
    return tuple(dict.fromkeys(_plain(word) for word in pieces if word.strip()))


def _plain(word: str) -> str:
    """A label without blanks around, its letters in one Unicode form (NFC), as folders' are."""
    word = word.strip()
    return word if word.isascii() else unicodedata.normalize("NFC", word)


def _mark(texts: set[str], column: str, plural: bool) -> tuple[str, str]:
    """The marks between labels, none where cells are single names; or a doubt."""
    if any(mark in text for text in texts for mark in _SURE):
        return _SURE, ""
    for mark in _UNSURE:
        joined = [text for text in texts if mark in text.strip()]
        if not joined:
            continue
        if mark == " " and all(re.fullmatch(r"\d+(\s+\d+)*", text) for text in texts):
            return mark, ""
        pieces = {piece.strip() for text in joined for piece in text.split(mark)} - {""}
        alone = {text for text in texts if mark not in text}
        known = pieces <= alone
        fewer = len(pieces | alone) < len(texts)
        shared = _shared(joined, texts, mark)
        if plural and (
            (mark == " " and (known or fewer or shared > _SOME)) or (mark == "," and shared > 0)
        ):
            return mark, ""
        if mark == "," and known:
            return mark, ""
        if known or (plural and mark in (" ", ",")) or (len(joined) > 1 and shared > _MANY):
            name = _NAMES.get(mark, mark)
            return "", (
                f"cells of column {column} such as {min(joined)!r} may be names of classes, or "
                f"several labels each ({len(pieces | alone)} words make {len(texts)} "
                f"combinations): --label-separator {name} splits them, --label-separator none "
                "does not"
            )
    return "", ""


def _shared(joined: list[str], texts: set[str], mark: str) -> float:
    """Share of the pieces of cells with a mark that stand in other cells too."""
    cells = Counter(
        piece for text in texts for piece in {piece.strip() for piece in text.split(mark)}
    )
    pieces = [own for text in joined for piece in text.split(mark) if (own := piece.strip())]
    return sum(cells[piece] > 1 for piece in pieces) / max(len(pieces), 1)


def _whole_numbers(words: list[Words], table: Table, column: str) -> list[Words]:
    """Labels that pandas wrote as 1.0 are 1; numbers with fractions are no classes."""
    try:
        numbers = [float(own[0]) for own in words]
    except ValueError:
        return words
    if not any("." in own[0] or "e" in own[0].lower() for own in words):
        return words
    for row, number in enumerate(numbers):
        if not number.is_integer():
            raise UserError(
                f"{table.place(row)}: {column} is {number}: numbers with fractions are no classes; "
                "give names or whole numbers"
            )
    return [(str(int(number)),) for number in numbers]
