"""Tables 2, 5 and 6 as the paper prints them: transfer accuracy, per cent, and cost."""

from collections.abc import Mapping, Sequence

from vitreous.experiments.paper_grid import ABSENT, Block, PaperGrid
from vitreous.experiments.results import Place

SETS = ("ImageNet", "ReaL", "CIFAR-10", "CIFAR-100", "Pets", "Flowers")

VTAB = "VTAB (19 tasks)"
"""The mean over all tasks, which Table 2 has beside the sets."""

CORE_DAYS = "TPUv3-core-days"
"""Table 2's line of the cost of pretraining: cores of TPUv3, two a chip, times days."""

EXAFLOPS = "exaFLOPs"
"""Table 6's line of the cost of pretraining: 10^18 floating-point operations."""

# Lines as in SETS, then VTAB and core-days. ReaL of BiT-L, and all of Noisy Student, without ±.
_TABLE2 = {
    "ViT-H/14 JFT": (
        "88.55 ± 0.04", "90.72 ± 0.05", "99.50 ± 0.06", "94.55 ± 0.04", "97.56 ± 0.03",
        "99.68 ± 0.02", "77.63 ± 0.23", "2.5k",
    ),
    "ViT-L/16 JFT": (
        "87.76 ± 0.03", "90.54 ± 0.03", "99.42 ± 0.03", "93.90 ± 0.05", "97.32 ± 0.11",
        "99.74 ± 0.00", "76.28 ± 0.46", "0.68k",
    ),
    "ViT-L/16 I21k": (
        "85.30 ± 0.02", "88.62 ± 0.05", "99.15 ± 0.03", "93.25 ± 0.05", "94.67 ± 0.15",
        "99.61 ± 0.02", "72.72 ± 0.21", "0.23k",
    ),
    "BiT-L R152x4": (
        "87.54 ± 0.02", "90.54", "99.37 ± 0.06", "93.51 ± 0.08", "96.62 ± 0.23",
        "99.63 ± 0.03", "76.29 ± 1.70", "9.9k",
    ),
    "Noisy Student": (
        "88.4 / 88.5*", "90.55", ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, "12.3k",
    ),
}  # fmt: skip
_HEADINGS2 = {
    "ViT-H/14 JFT": ("ViT-H/14", "JFT"),
    "ViT-L/16 JFT": ("ViT-L/16", "JFT"),
    "ViT-L/16 I21k": ("ViT-L/16", "I21k"),
    "BiT-L R152x4": ("BiT-L", "R152x4"),
    "Noisy Student": ("Noisy Student", "EffNet-L2"),
}
_NOTES2 = (
    "Mean and standard deviation of three fine-tuning runs. * 88.5 is of Touvron et al. 2020 "
    "(FixEfficientNet), which fine-tunes Noisy Student's EfficientNet-L2.",
    "TPUv3-core-days: cores of TPUv3, two a chip, times days of pretraining.",
)

_PRETRAINED = ("B/16", "B/32", "L/16", "L/32", "H/14")
_DATA5 = {"ImageNet": "ImageNet", "I21k": "ImageNet-21k", "JFT": "JFT-300M"}
_SETS5 = ("CIFAR-10", "CIFAR-100", "ImageNet", "ReaL", "Flowers", "Pets")
_TABLE5 = {
    "ImageNet": {
        "CIFAR-10": "98.13 97.77 97.86 97.94 –",
        "CIFAR-100": "87.13 86.31 86.35 87.07 –",
        "ImageNet": "77.91 73.38 76.53 71.16 –",
        "ReaL": "83.57 79.56 82.19 77.83 –",
        "Flowers": "89.49 85.43 89.66 86.36 –",
        "Pets": "93.81 92.04 93.64 91.35 –",
    },
    "I21k": {
        "CIFAR-10": "98.95 98.79 99.16 99.13 99.27",
        "CIFAR-100": "91.67 91.97 93.44 93.04 93.82",
        "ImageNet": "83.97 81.28 85.15 80.99 85.13",
        "ReaL": "88.35 86.63 88.40 85.65 88.70",
        "Flowers": "99.38 99.11 99.61 99.19 99.51",
        "Pets": "94.43 93.02 94.73 93.09 94.82",
    },
    "JFT": {
        "CIFAR-10": "99.00 98.61 99.38 99.19 99.50",
        "CIFAR-100": "91.87 90.49 94.04 92.52 94.55",
        "ImageNet": "84.15 80.73 87.12 84.37 88.04",
        "ReaL": "88.85 86.27 89.99 88.28 90.33",
        "Flowers": "99.56 99.27 99.56 99.45 99.68",
        "Pets": "95.80 93.40 97.11 95.83 97.56",
    },
}

# Lines as in SETS, then exaFLOPs; by the three groups of the paper's table.
_TABLE6 = {
    "ViT": {
        "ViT-B/32, 7 epochs": "80.73 86.27 98.61 90.49 93.40 99.27 55",
        "ViT-B/16, 7 epochs": "84.15 88.85 99.00 91.87 95.80 99.56 224",
        "ViT-L/32, 7 epochs": "84.37 88.28 99.19 92.52 95.83 99.45 196",
        "ViT-L/16, 7 epochs": "86.30 89.43 99.38 93.46 96.81 99.66 783",
        "ViT-L/16, 14 epochs": "87.12 89.99 99.38 94.04 97.11 99.56 1567",
        "ViT-H/14, 14 epochs": "88.08 90.36 99.50 94.71 97.11 99.71 4262",
    },
    "ResNet": {
        "ResNet50x1, 7 epochs": "77.54 84.56 97.67 86.07 91.11 94.26 50",
        "ResNet50x2, 7 epochs": "82.12 87.94 98.29 89.20 93.43 97.02 199",
        "ResNet101x1, 7 epochs": "80.67 87.07 98.48 89.17 94.08 95.95 96",
        "ResNet152x1, 7 epochs": "81.88 87.96 98.82 90.22 94.17 96.94 141",
        "ResNet152x2, 7 epochs": "84.97 89.69 99.06 92.05 95.37 98.62 563",
        "ResNet152x2, 14 epochs": "85.56 89.89 99.24 91.92 95.75 98.75 1126",
        "ResNet200x3, 14 epochs": "87.22 90.15 99.34 93.53 96.32 99.04 3306",
    },
    "hybrid": {
        "R50x1+ViT-B/32, 7 epochs": "84.90 89.15 99.01 92.24 95.75 99.46 106",
        "R50x1+ViT-B/16, 7 epochs": "85.58 89.65 99.14 92.63 96.65 99.40 274",
        "R50x1+ViT-L/32, 7 epochs": "85.68 89.04 99.24 92.93 96.97 99.43 246",
        "R50x1+ViT-L/16, 7 epochs": "86.60 89.72 99.18 93.64 97.03 99.40 859",
        "R50x1+ViT-L/16, 14 epochs": "87.12 89.76 99.31 93.89 97.36 99.11 1668",
    },
}

# The package's names of the models that the paper spells otherwise; BiT-L is R152x4 of its paper.
_OURS = {
    "BiT-L R152x4": "BiT-R152x4",
    "ResNet50x1": "BiT-R50x1",
    "ResNet50x2": "BiT-R50x2",
    "ResNet101x1": "BiT-R101x1",
    "ResNet152x1": "BiT-R152x1",
    "ResNet152x2": "BiT-R152x2",
    "ResNet200x3": "BiT-R200x3",
    "R50x1+ViT-B/32": "R50+ViT-B/32",
    "R50x1+ViT-B/16": "R50+ViT-B/16",
    "R50x1+ViT-L/32": "R50+ViT-L/32",
    "R50x1+ViT-L/16": "R50+ViT-L/16",
}

Table = dict[Place, float]


def model_of(row: str) -> str:
    """The package's name of the model of a row.

    Args:
        row: Such as `ResNet50x1, 7 epochs`, `ViT-L/16 JFT` or `BiT-L R152x4`.

    Returns:
        `BiT-R50x1`, `ViT-L/16`, `BiT-R152x4`; of a model that is not in the package, its first
        word, which no model has.
    """
    named = row.partition(",")[0]
    return _OURS.get(named, named.split(" ")[0])


def grid2() -> PaperGrid:
    """Table 2: the state of the art; weights averaged and larger images on ImageNet."""
    return PaperGrid(
        blocks=(Block(headings=_HEADINGS2),),
        lines=_labels((*SETS, VTAB, CORE_DAYS)),
        costs=(CORE_DAYS,),
        printed=_by_row(_TABLE2, (*SETS, VTAB, CORE_DAYS)),
        notes=_NOTES2,
    )


def grid5() -> PaperGrid:
    """Table 5: by pretraining set, fine-tuned at 384 pixels."""
    return PaperGrid(
        blocks=tuple(
            Block(
                title=f"pretrained on {name}",
                headings={f"ViT-{model} {data}": (f"ViT-{model}",) for model in _PRETRAINED},
            )
            for data, name in _DATA5.items()
        ),
        lines=_labels(_SETS5),
        printed={
            (f"ViT-{model} {data}", name): text
            for data, lines in _TABLE5.items()
            for name, texts in lines.items()
            for model, text in zip(_PRETRAINED, texts.split(), strict=True)
        },
        notes=("Fine-tuned at 384 pixels, without averaged weights.",),
    )


def grid6() -> PaperGrid:
    """Table 6: the scaling study on JFT-300M, fine-tuned at 384 pixels."""
    rows = {row: texts for group in _TABLE6.values() for row, texts in group.items()}
    printed = _by_row({row: texts.split() for row, texts in rows.items()}, (*SETS, EXAFLOPS))
    epochs = {(row, "epochs"): row.split(", ")[1].removesuffix(" epochs") for row in rows}
    return PaperGrid(
        blocks=tuple(
            Block(title=group, headings={row: _heading6(row) for row in members})
            for group, members in _TABLE6.items()
        ),
        lines=_labels(("epochs", *SETS, EXAFLOPS)),
        costs=("epochs", EXAFLOPS),
        printed=epochs | printed,
        notes=(
            "Pretrained on JFT-300M. exaFLOPs: 10^18 operations of pretraining; vitreous reproduce "
            "figure5 --scale paper counts them anew.",
        ),
    )


def table2() -> Table:
    """The accuracies of Table 2 as shares."""
    return grid2().shares()


def table5() -> Table:
    """The accuracies of Table 5 as shares."""
    return grid5().shares()


def table6() -> Table:
    """The accuracies of Table 6 as shares."""
    return grid6().shares()


def _heading6(row: str) -> tuple[str, ...]:
    """The model's name in lines of at most eight letters."""
    model = row.partition(",")[0]
    if model.startswith("ResNet"):
        return ("ResNet", model.removeprefix("ResNet"))
    stem, plus, vit = model.rpartition("+")
    return (stem + plus, vit) if stem else (vit,)


def _labels(columns: Sequence[str]) -> dict[str, str]:
    return {column: "ImageNet ReaL" if column == "ReaL" else column for column in columns}


def _by_row(table: Mapping[str, Sequence[str]], columns: Sequence[str]) -> dict[Place, str]:
    return {
        (row, name): text
        for row, texts in table.items()
        for name, text in zip(columns, texts, strict=True)
    }
