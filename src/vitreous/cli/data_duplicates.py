"""Find images that show the same picture: copies, resized, recompressed, cropped by 5 %, mirrored.

  vitreous data duplicates photos/ --out twice.tsv
  vitreous data duplicates photos/train photos/test --out leaks.tsv
  vitreous train photos/train --exclude leaks.tsv --out runs/clean
  vitreous evaluate runs/clean photos/test --exclude leaks.tsv

With one data set, pairs inside it and across its parts; with two, the pairs between training data
A and test data B, and none inside either. Nothing is deleted: the list says which image is like
which. Images under 32 pixels count only where they are equal.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.cli.output import add_json_argument, print_table, write_json
from vitreous.errors import UserError

_SHOWN = 20


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("data", metavar="A", help="a data set")
    parser.add_argument("other", metavar="B", nargs="?", help="the test data, if it is another set")
    parser.add_argument("--out", metavar="LIST", help="write the pairs, for --exclude")
    parser.add_argument(
        "--similarity",
        metavar="SHARE",
        type=float,
        help="least correlation of two images' detail, 0 to 1 (default 0.9)",
    )
    add_data_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Read, compare, print, and write where asked."""
    from vitreous.cli.progress import Stages
    from vitreous.data.duplicates import SIMILARITY, find_duplicates
    from vitreous.data.exclude import write_exclusion
    from vitreous.data.gallery import Gallery
    from vitreous.data.looks import look
    from vitreous.data.open import open_dataset

    similarity = SIMILARITY if arguments.similarity is None else arguments.similarity
    if not 0 < similarity <= 1:
        raise UserError(f"--similarity is {similarity}: give more than 0, up to 1")
    addresses = [arguments.data] + ([arguments.other] if arguments.other else [])
    options = data_options(arguments)
    galleries = [
        Gallery(open_dataset(address, options, for_training=False)) for address in addresses
    ]
    with Stages() as stage:
        looks = [
            look(gallery, on_progress=stage(f"reading {address}"))
            for address, gallery in zip(addresses, galleries, strict=True)
        ]
        pairs = find_duplicates(
            looks[0],
            looks[1] if len(looks) > 1 else None,
            similarity=similarity,
            on_progress=stage("comparing"),
        )
    first, second = galleries[0], galleries[-1]
    bad = [gallery.names[index] for gallery, seen in zip(galleries, looks, strict=True)
           for index in seen.unreadable]  # fmt: skip
    rows: list[dict[str, Any]] = [
        {
            "name": first.names[pair.first],
            "part": first.place(pair.first)[0],
            "class": first.class_of(pair.first),
            "like": second.names[pair.second],
            "like_part": second.place(pair.second)[0],
            "like_class": second.class_of(pair.second),
            "similarity": round(pair.similarity, 4),
            "how": pair.how,
        }
        for pair in pairs
    ]
    results = {
        "data": addresses,
        "num_images": [len(seen) for seen in looks],
        "unreadable": bad,
        "pairs": rows,
    }
    if arguments.out is not None:
        other = second.names if len(galleries) > 1 else None
        write_exclusion(Path(arguments.out), pairs, first.names, other)
    if not write_json(arguments.json, results):
        if rows:
            shown = sorted(rows, key=lambda row: row["similarity"], reverse=True)[:_SHOWN]
            columns = ("name", "like", "similarity", "how")
            print_table(columns, [[row[column] for column in columns] for row in shown])
            print(f"... and {len(rows) - _SHOWN:,} more\n" if len(rows) > _SHOWN else "")
        counts = " and ".join(f"{len(seen):,} images of {a}" for a, seen in
                              zip(addresses, looks, strict=True))  # fmt: skip
        print(f"{counts}: {_summary(rows, between=len(addresses) > 1)}")
        if arguments.out is not None:
            print(f"the list is {arguments.out}")
    for name in bad[:_SHOWN]:
        print(f"vitreous: cannot read {name}", file=sys.stderr)
    return 0


def _summary(rows: list[dict[str, Any]], *, between: bool) -> str:
    if not rows:
        return "no duplicates"
    words = f"{len(rows):,} pairs of {len({row['name'] for row in rows}):,} images to spare"
    notes = []
    if not between and (across := sum(row["part"] != row["like_part"] for row in rows)):
        notes.append(f"{across:,} across parts")
    if other := sum(row["class"] != row["like_class"] for row in rows):
        notes.append(f"{other:,} of different classes")
    return f"{words} ({', '.join(notes)})" if notes else words
