"""What models there are: their size, their cost, what was published of them, where weights are.

  vitreous models
  vitreous models ViT-B/16 --json -

Without NAME every named variant; any other patch side is spelt the same way. Multiply-adds are of
one image of the size that is shown; times two for floating-point operations. Nothing is downloaded:
fetch an address yourself and give the file to any verb.
"""

import re
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from vitreous.cli.output import add_json_argument, print_table, write_json
from vitreous.errors import UserError

if TYPE_CHECKING:
    from vitreous.model.config import ModelConfig


NOISY_STUDENT = "Noisy Student (EfficientNet-L2)"
"""A comparator of the paper's Table 2 that is no model of this package."""


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="one variant, in detail")
    parser.add_argument(
        "--image_size", metavar="INT", type=int, help="count for square images of this side"
    )
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Count, look up, print."""
    from vitreous.model.variants import list_models, variant_config

    size = {} if arguments.image_size is None else {"image_size": arguments.image_size}
    if arguments.name is not None and is_noisy_student(arguments.name):
        published = _paper_rows("Noisy")
        if not write_json(arguments.json, {"name": NOISY_STUDENT, "paper_rows": published}):
            print(f"{NOISY_STUDENT}: a published comparator of Table 2; no model of it is here")
            _print_rows(published)
        return 0
    if arguments.name is not None:
        facts = _facts(variant_config(arguments.name, **size))
        if not write_json(arguments.json, facts):
            _print_one(facts)
        return 0
    rows = []
    for name in list_models():
        try:
            rows.append(_facts(variant_config(name, **size)))
        except UserError as error:  # a size that this patch side does not divide
            rows.append({"name": name, "error": str(error)})
    if all("error" in row for row in rows):
        raise UserError(rows[0]["error"])
    if not write_json(arguments.json, rows):
        headings = ["model", "parameters, M", "multiply-adds, G", "pixels", "top-1, %", "weights"]
        print_table(headings, [_row(facts) for facts in rows])
        print(
            "\ntop-1: ImageNet, the paper's best after fine-tuning; vitreous models NAME says of "
            "which data, and where weights are to be had; vitreous models 'Noisy Student' has what "
            "is published of that comparator"
        )
    return 0


def _facts(config: "ModelConfig") -> dict[str, Any]:
    from dataclasses import asdict

    from vitreous.model.cost import count_parameters, multiply_adds
    from vitreous.weights.catalogue import PAPER_TOP1, published

    return {
        "name": config.name,
        "parameters": count_parameters(config),
        "multiply_adds": multiply_adds(config),
        "image_size": list(config.image_size),
        "paper_top1": PAPER_TOP1.get(config.name, {}),
        "paper_rows": _paper_rows(config.name),
        "architecture": asdict(config),
        "checkpoints": [asdict(checkpoint) for checkpoint in published(config.name)],
    }


def is_noisy_student(name: str) -> bool:
    """Tell whether a name means the EfficientNet-L2 of Table 2, which has no model here."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    model = r"(tf)?eff(icient)?netl2"
    return bool(re.fullmatch(rf"noisystudent({model})?|{model}(ns|noisystudent)?", letters))


def _paper_rows(model: str) -> list[dict[str, Any]]:
    """The rows that Tables 2 and 6 print of a model; Table 5 stands in `paper_top1`."""
    from vitreous.experiments.published_transfer import grid2, grid6, model_of

    return [
        {
            "table": table,
            "row": row,
            "values": {
                grid.lines[one["column"]]: one for one in grid.entries() if one["row"] == row
            },
        }
        for table, grid in (("Table 2", grid2()), ("Table 6", grid6()))
        for row in grid.rows
        if model_of(row) == model
    ]


def _print_rows(rows: list[dict[str, Any]]) -> None:
    for one in rows:
        told = ", ".join(f"{label} {value['printed']}" for label, value in one["values"].items())
        print(f"{one['table']}, {one['row']}: {told}")
    if any("*" in value["printed"] for one in rows for value in one["values"].values()):
        print("* 88.5 is of Touvron et al. 2020 (FixEfficientNet)")


def _row(facts: dict[str, Any]) -> list[str]:
    if "error" in facts:
        return [facts["name"], "", "", "", "", ""]
    best = max(facts["paper_top1"].values(), default=None)
    return [
        facts["name"],
        f"{facts['parameters'] / 1e6:.1f}",
        f"{facts['multiply_adds'] / 1e9:.2f}",
        _size(facts),
        "" if best is None else f"{best:.2f}",
        str(len(facts["checkpoints"]) or ""),
    ]


def _size(facts: dict[str, Any]) -> str:
    height, width = facts["image_size"]
    return str(height) if height == width else f"{height}x{width}"


def _print_one(facts: dict[str, Any]) -> None:
    print(
        f"{facts['name']}: {facts['parameters']:,} parameters with a head of "
        f"{facts['architecture']['num_classes']} classes, {facts['multiply_adds'] / 1e9:.3f} G "
        f"multiply-adds at {_size(facts)} pixels"
    )
    for data, top1 in facts["paper_top1"].items():
        print(f"the paper, pre-trained on {data}, fine-tuned at 384: {top1:.2f} % of ImageNet")
    _print_rows(facts["paper_rows"])
    if not facts["checkpoints"]:
        print("no published weights are written down for it")
    for checkpoint in facts["checkpoints"]:
        top1, size = checkpoint["top1"], checkpoint["mebibytes"]
        said = [
            f"{checkpoint['image_size']} pixels",
            "pre-training only" if checkpoint["trained_on"] == "ImageNet-21k" else None,
            None if top1 is None else f"{top1:.2f} % of ImageNet",
            None if size is None else f"{size:,.0f} MiB",
            checkpoint["licence"],
        ]
        print(f"\n{checkpoint['name']}: {', '.join(filter(None, said))}")
        print(f"  trained on {checkpoint['trained_on']}; images {checkpoint['preprocessing']}")
        print(f"  {checkpoint['address']}")
