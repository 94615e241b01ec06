"""Oxford Flowers-102 as its authors give it: `jpg/`, `imagelabels.mat` and `setid.mat`.

Classes are named by their numbers, "1" to "102": the download holds no words. The official split:
`trnid` (1,020 images) is train, `valid` (1,020) validation, `tstid` (6,149) test.

Source: https://www.robots.ox.ac.uk/~vgg/data/flowers/102/
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from vitreous.data.sample import PART_NAMES, Dataset
from vitreous.data.sources.encoded import listed_dataset
from vitreous.data.sources.folder import FileStore
from vitreous.data.sources.names import PackedNames
from vitreous.errors import UserError

_SETS = {"train": "trnid", "validation": "valid", "test": "tstid"}
_FOLDER = "flowers-102"


def is_flowers_folder(folder: Path) -> bool:
    """Whether a folder is the unpacked download, or holds it as torchvision unpacks it."""
    return _home(folder) is not None


def open_flowers(folder: Path, address: str) -> Dataset:
    """Open the official split; images are named by their path.

    Raises:
        UserError: A .mat file is damaged, or names an image that has no label.
    """
    home = _home(folder)
    assert home is not None, "is_flowers_folder comes first"
    labels = read_numbers(home / "imagelabels.mat", "labels")
    sets = {part: read_numbers(home / "setid.mat", key) for part, key in _SETS.items()}
    numbers = np.concatenate(list(sets.values()))
    if not len(numbers) or numbers.min() < 1 or numbers.max() > len(labels) or labels.min() < 1:
        raise UserError(f"{address}: setid.mat does not fit imagelabels.mat: download both again")
    names = PackedNames.pack(f"jpg/image_{number:05d}.jpg" for number in numbers.tolist())
    part_of = [np.full(len(own), PART_NAMES.index(part)) for part, own in sets.items()]
    return listed_dataset(
        address=address,
        names=names,
        labels=labels[numbers - 1] - 1,
        part_of=np.concatenate(part_of),
        class_names=tuple(str(number) for number in range(1, int(labels.max()) + 1)),
        store=FileStore(home.absolute(), names),
        notes={},
    )


def read_numbers(path: Path, key: str) -> Int64[np.ndarray, " n"]:
    """A vector of integers in a MATLAB file.

    Raises:
        UserError: The file is damaged, or has no such vector.
    """
    from scipy.io import loadmat

    try:
        numbers = np.asarray(loadmat(path, variable_names=[key])[key]).reshape(-1)
        if numbers.dtype.kind not in "iuf":
            raise ValueError(f"{key} is {numbers.dtype}")
    except Exception as fault:  # a damaged file meets whatever exception is nearest
        raise UserError(f"{path}: cannot be read ({fault}): download it again") from fault
    return numbers.astype(np.int64)


def _home(folder: Path) -> Path | None:
    for home in (folder, folder / _FOLDER):
        if all((home / file).exists() for file in ("jpg", "imagelabels.mat", "setid.mat")):
            return home
    return None
