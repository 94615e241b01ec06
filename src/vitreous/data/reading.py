"""The reading of a data set: the options that decide it, and what was taken for what.

Wherever files and tables can be read in two ways, opening refuses with both readings and the option
that decides between them. Everything else that was decided is said in the data set's `Reading`.
"""

import re
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

from vitreous.errors import UserError

Layout = Literal["auto", "classes", "parts", "leaf", "table", "flat"]
Labels = Literal["auto", "one", "several"]

SEPARATORS = {
    "space": " ",
    "comma": ",",
    "semicolon": ";",
    "bar": "|",
    "slash": "/",
    "plus": "+",
    "none": "",
}
"""Words for the marks between several labels in a cell; any single mark stands for itself."""

UNLABELLED = "unlabelled"
"""The one class of images without labels."""


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """The user's decisions about how to read a data set; each is None or `auto` where not given.

    Attributes:
        layout: Meaning of the folders. `classes`: the top folders are the classes, whatever they
            are called; `parts`: the top folders are train, val and test, and others are left out;
            `leaf`: the innermost folders are the classes; `table`: the labels come from a table
            inside; `flat`: there are no labels; `auto`: by names and shape.
        train_folder: The folder inside DATA whose class folders are the train part.
        validation_folder: The same of the validation part.
        test_folder: The same of the test part.
        label_column: The table's column of labels; several, split by commas, are columns of zeros
            and ones.
        path_column: The table's column of image paths.
        split_column: The table's column of parts; `COLUMN=VALUE` validates on the rows of one
            value, such as fold=0; `none` leaves all such columns unused.
        group_column: The table's column whose equal values stay in one part; `none` for no groups.
        group_from_name: A regular expression on the image's name; images whose first group (or
            whole match) is equal stay in one part.
        image_root: The folder that the table's paths start from.
        image_suffix: What to add to the table's names, such as .jpg.
        label_separator: The mark between several labels in a cell: space, comma, semicolon, bar,
            another mark, or none.
        label_from_name: A regular expression on the image's file name; its first group, or the
            whole match, is the label.
        labels_per_image: `one` or `several`, where a table could be read as either.
    """

    layout: Layout = "auto"
    train_folder: str | None = None
    validation_folder: str | None = None
    test_folder: str | None = None
    label_column: str | None = None
    path_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    group_from_name: str | None = None
    image_root: str | None = None
    image_suffix: str | None = None
    label_separator: str | None = None
    label_from_name: str | None = None
    labels_per_image: Labels = "auto"

    def __post_init__(self) -> None:
        for name, choices in (("layout", get_args(Layout)), ("labels_per_image", get_args(Labels))):
            if getattr(self, name) not in choices:
                raise UserError(
                    f"{option(name)} is {getattr(self, name)!r}: choose {' or '.join(choices)}"
                )
        for name in ("label_from_name", "group_from_name"):
            try:
                re.compile(getattr(self, name) or "")
            except re.error as fault:
                raise UserError(
                    f"{option(name)} is {getattr(self, name)!r}, no regular expression ({fault}): "
                    r"give one such as '^(\w+?)_\d+'"
                ) from fault
        mark = self.label_separator
        if mark is not None and mark not in SEPARATORS and (len(mark) != 1 or mark.isalnum()):
            raise UserError(
                f"--label-separator is {mark!r}: give one mark, or {', '.join(SEPARATORS)}"
            )
        if self.image_suffix is not None and not self.image_suffix.startswith("."):
            object.__setattr__(self, "image_suffix", f".{self.image_suffix}")

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the fields that the user decided."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) != one.default)

    @property
    def separator(self) -> str | None:
        """The mark between labels; empty where labels are not to be split, None if undecided."""
        mark = self.label_separator
        return None if mark is None else SEPARATORS.get(mark, mark)

    def to_dict(self) -> dict[str, str]:
        """The decided fields, for JSON."""
        return {name: getattr(self, name) for name in self.given}


TREE_OPTIONS = ("layout", "train_folder", "validation_folder", "test_folder", "label_from_name")
"""Options with a meaning for trees of folders."""

TABLE_OPTIONS = (
    "label_column",
    "path_column",
    "split_column",
    "group_column",
    "image_root",
    "image_suffix",
    "label_separator",
)
"""Options with a meaning for tables."""

ALL_OPTIONS = ("group_from_name", "labels_per_image")
"""Options with a meaning for all data, or none that could mislead."""


def option(name: str) -> str:
    """The command line's spelling of a field, such as `--label-column`."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The reading in words: what opening took for what.

    Attributes:
        classes: Where the class names come from, such as `names of folders`.
        parts: Where the parts come from; empty where all is one part.
        groups: Where groups come from; empty where there are none.
        root: Where the images lie, if not where DATA says.
        values: The range of pixel values, where it was chosen.
        doubt: Why the labels cannot be used, and what to do; empty where they can. Verbs that need
            no labels go on.
        asks: Whether the doubt is a choice between two readings, and not just a lack of labels.
    """

    classes: str = ""
    parts: str = ""
    groups: str = ""
    root: str = ""
    values: str = ""
    doubt: str = ""
    asks: bool = False

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def searched(pattern: re.Pattern[str], text: str) -> str | None:
    """The first group of a match anywhere in a text, or the whole match; None without one."""
    found = pattern.search(text)
    if found is None:
        return None
    return next((group for group in found.groups() if group), None) or found[0] or None
