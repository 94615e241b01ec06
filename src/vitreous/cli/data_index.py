"""Write the index of shards that others made: opening them reads no tar then.

  vitreous data index shards/
  vitreous data index 'laion-{00000..00127}.tar'

The index lies beside the shards: NAME.index for each tar, and index.json with classes and parts.
Each tar is read whole once, for its SHA-256; `vitreous data shard SHARDS --verify` compares it.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from vitreous.cli.output import add_json_argument, write_json


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("shards", metavar="SHARDS", help="their folder, or name-{000..127}.tar")
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Read, write, and say where."""
    from vitreous.data.indexing import index_shards

    index, folder = index_shards(arguments.shards)
    if not write_json(arguments.json, asdict(index)):
        images = sum(row["images"] for row in index.totals.values())
        shards = sum(map(len, index.shards.values()))
        print(f"indexed {images:,} images of {len(index.class_names):,} classes in {shards} shards")
        print(f"wrote {folder}/index.json")
    return 0
