"""Oxford-IIIT Pets as its authors give it: `images/` and `annotations/`.

The 37 breeds are named as in the file names and numbered as in the lists: `trainval.txt` (3,680
images) is train, `test.txt` (3,669) test.

Source: https://www.robots.ox.ac.uk/~vgg/data/pets/
"""

from pathlib import Path

import numpy as np

from vitreous.data.sample import PART_NAMES, Dataset
from vitreous.data.sources.encoded import listed_dataset
from vitreous.data.sources.folder import FileStore
from vitreous.data.sources.names import PackedNames
from vitreous.errors import UserError

_LISTS = {"trainval.txt": "train", "test.txt": "test"}
_FOLDER = "oxford-iiit-pet"


def is_pets_folder(folder: Path) -> bool:
    """Whether a folder is the unpacked download, or holds it as torchvision unpacks it."""
    return _home(folder) is not None


def open_pets(folder: Path, address: str) -> Dataset:
    """Open the lists; images are named by their path.

    Raises:
        UserError: A line of a list is not "NAME CLASS SPECIES BREED".
    """
    home = _home(folder)
    assert home is not None, "is_pets_folder comes first"
    names: list[str] = []
    labels: list[int] = []
    part_of: list[int] = []
    breeds: dict[int, str] = {}
    for file, part in _LISTS.items():
        path = home / "annotations" / file
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, *numbers = line.split()
            breed = name.rpartition("_")[0]
            label = int(numbers[0]) - 1 if numbers and numbers[0].isdecimal() else -1
            if "/" in name or not breed or label < 0 or breeds.setdefault(label, breed) != breed:
                raise UserError(
                    f"{path}, line {number}: {line[:60]!r} is not NAME CLASS SPECIES BREED: unpack "
                    "the download again"
                )
            names.append(f"images/{name}.jpg")
            labels.append(label)
            part_of.append(PART_NAMES.index(part))
    if set(breeds) != set(range(len(breeds))) or not breeds:
        raise UserError(f"{address}: annotations/ leaves classes out: unpack the download again")
    packed = PackedNames.pack(names)
    return listed_dataset(
        address=address,
        names=packed,
        labels=np.array(labels, np.int64),
        part_of=np.array(part_of),
        class_names=tuple(breeds[label] for label in range(len(breeds))),
        store=FileStore(home.absolute(), packed),
        notes={},
    )


def _home(folder: Path) -> Path | None:
    for home in (folder, folder / _FOLDER):
        if (home / "annotations/trainval.txt").is_file() and (home / "images").is_dir():
            return home
    return None
