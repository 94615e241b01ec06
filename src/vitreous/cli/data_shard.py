"""Write a data set as WebDataset shards with an index: fast to open, to copy and to read.

  vitreous data shard photos/ shards/
  vitreous data shard imagenet/ shards/ --max-side 256 --workers 8
  vitreous data shard shards/ --verify

IN is any data set that training takes. Stopped, the same command goes on. Images that cannot be
read are counted, named and left out. With --max-side, images whose shorter side is longer are
resized to it and written as JPEG; all others are copied byte for byte. The same command gives the
same bytes, with any number of workers.
"""

import re
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.cli.output import add_json_argument, print_table, write_json
from vitreous.errors import UserError

if TYPE_CHECKING:
    from vitreous.data.sources.shard_index import SetIndex

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("data", metavar="IN", help="the data set, or shards to verify")
    parser.add_argument("out", metavar="OUT", nargs="?", help="folder for the shards")
    parser.add_argument(
        "--size", metavar="BYTES", default="256MB", help="of a shard, about; 256MB if not given"
    )
    parser.add_argument(
        "--max-side",
        "--max_side",
        metavar="INT",
        type=int,
        help="longest shorter side, pixels: 256 suits training at 224",
    )
    parser.add_argument(
        "--quality", metavar="INT", type=int, default=92, help="of JPEG that is written, 1 to 100"
    )
    parser.add_argument(
        "--workers", metavar="INT", type=int, help="processes; one per core if not given"
    )
    parser.add_argument("--verify", action="store_true", help="check the SHA-256 of every shard")
    add_data_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Write, verify, and say what is there."""
    from vitreous.data.sharding import verify_shards
    from vitreous.data.sources.shard_index import read_set_index

    if arguments.out is None and not arguments.verify:
        raise UserError("where to? give a folder for the shards after IN")
    folder = Path(arguments.data if arguments.out is None else arguments.out)
    index = read_set_index(folder) if arguments.out is None else _write(arguments, folder)
    faults = verify_shards(folder) if arguments.verify else []
    results = {"folder": str(folder), "faults": faults}
    if index is not None:
        results |= asdict(index)
    if not write_json(arguments.json, results):
        if index is not None:
            _print(index, folder)
        if arguments.verify and not faults:
            print("every shard has the SHA-256 of its index")
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise UserError(
            f"{'; '.join(faults[:3])}{more}: delete what differs, and give the command that wrote "
            "it again"
        )
    return 0


def _write(arguments: Namespace, folder: Path) -> "SetIndex":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from vitreous.cli.terminal import console_on_stderr
    from vitreous.data.open import check_labelled, open_dataset
    from vitreous.data.packing import Packing
    from vitreous.data.sharding import write_shards
    from vitreous.data.workers import available_cores

    workers = available_cores() if arguments.workers is None else arguments.workers
    if workers < 1:
        raise UserError(f"--workers is {workers}: give at least 1")
    packing = Packing(arguments.max_side, arguments.quality)
    size = _bytes(arguments.size)
    dataset = open_dataset(arguments.data, data_options(arguments), for_training=False)
    if dataset.reading.doubt:
        check_labelled(dataset)
    columns = (BarColumn(), MofNCompleteColumn(), "images", TimeRemainingColumn())
    with Progress(*columns, console=console_on_stderr(), transient=True) as progress:
        task = progress.add_task("", total=None)
        return write_shards(
            dataset,
            folder,
            size=size,
            packing=packing,
            workers=workers,
            on_shard=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _print(index: "SetIndex", folder: Path) -> None:
    from vitreous.data.sources.shard_index import read_shard_index

    rows = [
        (part, len(index.shards[part]), f"{row['images']:,}", f"{row['bytes'] / 1e6:,.1f} MB")
        for part, row in index.totals.items()
    ]
    print_table(["part", "shards", "images", "size"], rows)
    lost = sum(row["left_out"] for row in index.totals.values())
    if lost:
        print(f"\n{lost} images could not be read and were left out:")
        shards = (name for names in index.shards.values() for name in names)
        lines = (line for name in shards for line in read_shard_index(folder / name).left_out)
        for line, _ in zip(lines, range(10), strict=False):
            print(f"  {line}")
    print(f"\nthe shards are in {folder}")


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|K|M|G|KI|MI|GI)B?", text.strip().upper())
    if found is None or float(found[1]) * _UNITS[found[2]] < 1:
        raise UserError(f"--size is {text}: give bytes, such as 256MB or 1GiB")
    return int(float(found[1]) * _UNITS[found[2]])
