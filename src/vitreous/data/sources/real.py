"""ReaL: several labels for each of ImageNet's 50,000 validation images, from `real.json`.

Source: Beyer et al. 2020 (arXiv 2006.07159), google-research/reassessed-imagenet. An image without
labels is left out of the score; an answer is right when it is among the image's labels.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from vitreous.errors import UserError

IMAGES = 50_000
CLASSES = 1000
_NAME = re.compile(r"ILSVRC2012_val_(\d{8})[._]")

RealLabels = tuple[tuple[int, ...], ...]
"""Of each validation image, in the order of its number, class indices (sorted WordNet ids)."""


def read_real_labels(path: Path) -> RealLabels:
    """Read `real.json`.

    Raises:
        UserError: It is not 50,000 lists of class indices.
    """
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
        labels = tuple(tuple(map(int, own)) for own in lists)
        if len(labels) != IMAGES or not all(0 <= one < CLASSES for own in labels for one in own):
            raise ValueError(f"{len(labels)} lists")
    except (OSError, ValueError, TypeError) as fault:
        raise UserError(
            f"{path}: not ReaL's {IMAGES:,} lists of classes ({fault}): fetch real.json of "
            "google-research/reassessed-imagenet"
        ) from fault
    return labels


def real_labels_of(names: Sequence[str], labels: RealLabels) -> list[tuple[int, ...]]:
    """The labels of some images, by the number in `ILSVRC2012_val_00000001.JPEG`.

    Names may go on after it, as in `ILSVRC2012_val_00000001_n01751748.JPEG`.

    Raises:
        UserError: A name has no such number.
    """
    own = []
    for name in names:
        found = _NAME.search(name)
        if found is None or not 1 <= int(found[1]) <= IMAGES:
            raise UserError(f"{name}: is no ImageNet validation image: ReaL labels no others")
        own.append(labels[int(found[1]) - 1])
    return own
