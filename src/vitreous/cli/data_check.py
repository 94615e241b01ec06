"""Look at a data set before training: faults, imbalance, sizes, duplicates, doubtful labels.

  vitreous data check photos/
  vitreous data check photos/ --out check.html --model runs/photos

Every image is read once. Files that cannot be read are listed by kind; images that show the same
picture are listed inside and across parts and classes; with a model, labels that an image's nearest
neighbours contradict are listed too, the most doubtful first.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.cli.output import add_json_argument, print_table, write_json
from vitreous.errors import UserError

if TYPE_CHECKING:
    from vitreous.data.inspect import Inspection
    from vitreous.evaluate.suspects import Suspect

_SHOWN = 10


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("data", metavar="DATA", help="the data set")
    parser.add_argument("--model", metavar="MODEL", help="run folder or checkpoint: doubts labels")
    parser.add_argument("--out", metavar="FILE", help="write the page there, an .html file")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where something needs mending"
    )
    parser.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda")
    add_data_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Read, compare, print, and write where asked."""
    from vitreous.cli.progress import Stages
    from vitreous.data.inspect import inspect
    from vitreous.data.open import check_labelled, open_dataset

    page = None if arguments.out is None else Path(arguments.out)
    if page is not None and page.exists():
        raise UserError(f"--out {page} exists: choose another")
    dataset = open_dataset(arguments.data, data_options(arguments), for_training=False)
    if dataset.reading.asks:
        check_labelled(dataset)
    with Stages() as stage:
        found = inspect(dataset, stage)
    suspects = None
    if arguments.model is not None:
        suspects = _doubt(found, arguments.model, arguments.device)
    if page is not None:
        from vitreous.report.inspection import write_inspection

        write_inspection(page, found, suspects)
    results = found.to_dict()
    if suspects is not None:
        results["suspects"] = [_suspect_dict(found, doubt) for doubt in suspects]
    if not write_json(arguments.json, results):
        _print(results)
        if page is not None:
            print(f"\nthe page is {page}")
    return 1 if arguments.strict and found.problems else 0


def _doubt(found: "Inspection", address: str, device: str) -> "list[Suspect]":
    """Suspect labels by the gallery's positions."""
    from dataclasses import replace

    from vitreous.data.gallery import Gallery
    from vitreous.data.recoloured import in_channels_of
    from vitreous.evaluate.suspects import features, suspect_labels
    from vitreous.parallel.device import choose_engine
    from vitreous.weights.load import load
    from vitreous.weights.passport import passport_of

    engine, model = choose_engine(device), load(address)
    dataset = in_channels_of(passport_of(model).preprocessing, found.gallery.dataset)
    seen = features(model, Gallery(dataset), engine)
    return [
        replace(
            doubt, index=int(seen.index[doubt.index]), neighbour=int(seen.index[doubt.neighbour])
        )
        for doubt in suspect_labels(seen.logits, seen.labels)
    ]


def _suspect_dict(found: "Inspection", doubt: "Suspect") -> dict[str, Any]:
    given, suggested = doubt.words(found.gallery.dataset.class_names)
    return {
        "name": found.gallery.names[doubt.index],
        "part": found.gallery.place(doubt.index)[0],
        "given": given,
        "suggested": suggested,
        "strength": round(doubt.strength, 4),
        "neighbour": found.gallery.names[doubt.neighbour],
    }


def _print(results: dict[str, Any]) -> None:
    print("\n".join(results["reading"]["lines"]), end="\n\n")
    parts = list(results["parts"])
    rows = [(_visible(row["name"]), *(row[part] for part in parts)) for row in results["classes"]]
    if len(rows) > 3 * _SHOWN:
        print(f"the largest of {len(rows):,} classes:")
        rows = sorted(rows, key=lambda row: -sum(row[1:]))[:_SHOWN]
    print_table(["class", *parts], rows)
    sides, ratio = results["shorter_side"], results["aspect_ratio"]
    formats = ", ".join(f"{count:,} {kind}" for kind, count in results["formats"].items())
    print(
        f"\n{results['num_images']:,} images{f' ({formats})' if formats else ''}; shorter side "
        f"{sides['least']:.0f} to {sides['most']:.0f} pixels, median {sides['median']:.0f}; width "
        f"/ height {ratio['least']:.2f} to {ratio['most']:.2f}"
    )
    from vitreous.data.examine import ODD

    for kind, names in results["odd"].items():
        print(f"  {kind}: {len(names):,}, {ODD[kind]}")
    _print_some("cannot be read", [f"{r['name']}: {r['reason']}" for r in results["unreadable"]])
    _print_some("duplicates", [_pair_line(row) for row in _leaks_first(results["duplicates"])])
    if "suspects" in results:
        _print_some(
            "suspect labels",
            [
                f"{row['name']}: {row['given']}, or rather {row['suggested']}? "
                f"{row['strength']:.0%}"
                for row in results["suspects"]
            ],
        )
    print()
    for heading, lines in (("mend", results["problems"]), ("know", results["remarks"])):
        for line in lines:
            print(f"{heading}: {line}")
    if not results["problems"]:
        print("nothing needs mending before training")


def _visible(name: str) -> str:
    """A name, in quotes where blanks at its ends would not be seen."""
    return name if name == name.strip() else repr(name)


def _print_some(heading: str, lines: list[str]) -> None:
    if lines:
        print(f"\n{heading} ({len(lines):,}):")
        print("\n".join(f"  {line}" for line in lines[:_SHOWN]))
        if len(lines) > _SHOWN:
            print(f"  ... and {len(lines) - _SHOWN:,} more (--out and --json have all)")


def _leaks_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(
        rows,
        key=lambda row: (
            row["part"] == row["like_part"],
            row["class"] == row["like_class"],
            -row["similarity"],
        ),
    )


def _pair_line(row: dict[str, Any]) -> str:
    crosses = [
        f"{row[key]} and {row[f'like_{key}']}"
        for key in ("part", "class")
        if row[key] != row[f"like_{key}"]
    ]
    how = row["how"] if row["how"] == "same pixels" else f"{row['how']}, {row['similarity']:.3f}"
    return f"{row['name']} = {row['like']} ({', '.join([*crosses, how])})"
