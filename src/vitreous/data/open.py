"""From what the user typed to a data set: the kind of storage is told by name, then by content."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path

from vitreous.data.groups import with_named_groups
from vitreous.data.reading import (
    ALL_OPTIONS,
    TABLE_OPTIONS,
    TREE_OPTIONS,
    ReadingOptions,
    option,
)
from vitreous.data.sample import Dataset
from vitreous.data.sources.archive import compression, open_archive
from vitreous.data.sources.arrays import open_arrays
from vitreous.data.sources.arrow import is_arrow_folder, open_arrow
from vitreous.data.sources.cifar import is_cifar_folder, open_cifar
from vitreous.data.sources.digits import open_digits
from vitreous.data.sources.encoded import check_trained
from vitreous.data.sources.exports import open_json
from vitreous.data.sources.flowers import is_flowers_folder, open_flowers
from vitreous.data.sources.hub import PREFIX, open_hub
from vitreous.data.sources.idx import is_idx, is_idx_folder, open_idx
from vitreous.data.sources.imagenet import is_imagenet_folder, open_imagenet
from vitreous.data.sources.labelled_folder import open_labelled_folder
from vitreous.data.sources.lists import is_listed_folder, open_lists
from vitreous.data.sources.parquet import is_parquet_folder, open_parquet
from vitreous.data.sources.pets import is_pets_folder, open_pets
from vitreous.data.sources.shards import (
    is_shard_folder,
    open_shard_folder,
    open_shard_pattern,
)
from vitreous.data.sources.table import open_table
from vitreous.data.sources.tree import IMAGE_SUFFIXES
from vitreous.errors import UserError

EMBEDDED: Mapping[str, Callable[[], Dataset]] = {"digits": open_digits}
"""Data sets that come with the package; a folder of the same name is `./digits`."""

Opener = Callable[[Path, str, ReadingOptions], Dataset]
"""Opens a path under the name that the user typed, by the user's decisions."""


def _only(opener: Opener, *meaningful: str) -> Opener:
    """An opener that refuses options without a meaning for its kind of data."""

    def open_it(path: Path, typed: str, options: ReadingOptions) -> Dataset:
        _refuse_options(typed, options, *meaningful)
        return opener(path, typed, options)

    return open_it


def _plain(opener: Callable[[Path, str], Dataset]) -> Opener:
    """The opener of a source that can be read in one way only."""
    return _only(lambda path, typed, options: opener(path, typed))


def _refuse_options(typed: str, options: ReadingOptions, *meaningful: str) -> None:
    for name in options.given:
        if name not in (*ALL_OPTIONS, *meaningful):
            raise UserError(
                f"{typed}: {option(name)} has no meaning for data of this kind: leave it out"
            )


_TABLE = (*TABLE_OPTIONS, "label_from_name")

BY_SUFFIX: Mapping[str, Opener] = {
    ".tar": _only(open_archive, *TREE_OPTIONS),
    ".npz": _plain(open_arrays),
    ".csv": _only(open_table, *_TABLE),
    ".tsv": _only(open_table, *_TABLE),
    ".jsonl": _only(open_table, *_TABLE),
    ".ndjson": _only(open_table, *_TABLE),
    ".json": _only(open_json, *_TABLE),
    ".parquet": _plain(open_parquet),
}
"""Ending of a file's name -> what opens it."""

FOLDERS: tuple[tuple[Callable[[Path], bool], Opener], ...] = (
    (is_idx_folder, _plain(open_idx)),
    (is_cifar_folder, _plain(open_cifar)),
    (is_pets_folder, _plain(open_pets)),
    (is_flowers_folder, _plain(open_flowers)),
    (is_imagenet_folder, _plain(open_imagenet)),
    (is_listed_folder, _plain(open_lists)),
    (is_arrow_folder, _plain(open_arrow)),
    (is_parquet_folder, _plain(open_parquet)),
    (is_shard_folder, _plain(open_shard_folder)),
    (Path.is_dir, open_labelled_folder),
)
"""How to recognise a folder of each kind -> what opens it; the first that fits."""

KINDS = (
    "digits, a folder of class folders, .tar, shards as name-{000..127}.tar, .npz, .csv, .tsv, "
    ".jsonl, .json of COCO or Label Studio, .parquet, a Hugging Face data set or MNIST's idx files"
)


def open_dataset(
    address: str | Path, options: ReadingOptions | None = None, *, for_training: bool = True
) -> Dataset:
    """Open a data set; images are listed and not read.

    Args:
        address: The name of an embedded data set, or a path: a folder of class folders with or
            without train, val and test folders above them; a .tar of one; WebDataset shards by a
            pattern or their folder; an .npz; a .csv, .tsv or .jsonl table; a folder of idx files
            or one of them; a .parquet file or a folder of them; a Hugging Face data set on disk,
            or on the hub as `hf:OWNER/NAME`; ImageNet, CIFAR, Oxford Pets or Flowers as they are
            downloaded; a folder with VTAB-1k's lists (train800.txt, val200.txt, test.txt).
        options: The user's decisions; all that they leave open is told from the data, or asked.
        for_training: Refuse what `check_labelled` does.

    Returns:
        The data set. Its parts are as stored: one that comes as a whole is the train part (see
        `vitreous.data.split`).

    Raises:
        UserError: Nothing is there, or it is no data set; the message holds the fix.
    """
    options = options or ReadingOptions()
    try:
        dataset = with_named_groups(_open(address, options), options)
    except OSError as fault:
        raise UserError(
            f"{address}: cannot be read ({fault.strerror or fault}): check its permissions"
        ) from fault
    if for_training:
        check_labelled(dataset)
    return dataset


def check_labelled(dataset: Dataset) -> None:
    """Refuse a data set whose labels nobody can train or measure on.

    Raises:
        UserError: It has no labels, a single class, or training lacks one that another part has.
    """
    if dataset.reading.doubt:
        raise UserError(f"{dataset.address}: {dataset.reading.doubt}")
    check_trained(
        dataset.address, dataset.class_names, {n: part.labels for n, part in dataset.parts.items()}
    )
    if dataset.num_classes < 2:
        raise UserError(
            f"{dataset.address}: only one class ({dataset.class_names[0]}): a classifier needs at "
            "least two class folders"
        )


def _open(address: str | Path, options: ReadingOptions) -> Dataset:
    typed, path = str(address), Path(address)
    if isinstance(address, str) and address in EMBEDDED:
        _refuse_options(typed, options)
        return EMBEDDED[address]()
    if not path.exists():
        _refuse_options(typed, options)
        return _open_address(typed)
    if path.is_dir():
        opener = next(opener for recognise, opener in FOLDERS if recognise(path))
        return opener(path, typed, options)
    if not path.is_file():
        raise UserError(f"{typed}: neither a file nor a folder: give {KINDS}")
    if is_idx(path):
        _refuse_options(typed, options)
        return open_idx(path, typed)
    suffix = path.suffix.lower()
    if suffix in BY_SUFFIX:
        return BY_SUFFIX[suffix](path, typed, options)
    if suffix in IMAGE_SUFFIXES:
        raise UserError(f"{typed}: one image is no data set: give the folder of class folders")
    return _by_content(path, typed, options)


def _open_address(typed: str) -> Dataset:
    """What is no path of this machine."""
    if typed.startswith(PREFIX):
        return open_hub(typed)
    if typed.startswith("pipe:") or "://" in typed:
        raise UserError(
            f"{typed}: a command or URL cannot be read image by image: fetch its files once, for "
            "example with curl, and give their folder"
        )
    if "{" in typed and "}" in typed:
        return open_shard_pattern(typed)
    raise UserError(f"{typed}: no such file or folder{_nearest(Path(typed))}")


def _by_content(path: Path, typed: str, options: ReadingOptions) -> Dataset:
    with open(path, "rb") as file:
        head = file.read(262)
    if head[257:] == b"ustar" or compression(head):
        return BY_SUFFIX[".tar"](path, typed, options)
    if head.startswith(b"PK"):
        raise UserError(f"{typed}: a zip cannot be read in place: unzip it, and give the folder")
    raise UserError(f"{typed}: not a data set of a known kind: give {KINDS}")


def _nearest(path: Path) -> str:
    """The existing name most like a missing one, as the end of a message."""
    parent = path.parent
    while not parent.is_dir():
        path, parent = parent, parent.parent
    names = [*EMBEDDED, *(file.name for file in parent.iterdir())]
    close = get_close_matches(path.name, names, n=1)
    if not close:
        return f": in {parent}/ there is nothing of a like name; check the path"
    found = close[0] if close[0] in EMBEDDED else str(parent / close[0])
    return f": did you mean {found}?"
