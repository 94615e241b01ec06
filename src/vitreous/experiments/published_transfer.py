"""Transfer accuracy as Tables 2, 5 and 6 print it, per cent."""

from collections.abc import Sequence

SETS = ("ImageNet", "ReaL", "CIFAR-10", "CIFAR-100", "Pets", "Flowers")

VTAB = "VTAB (19 tasks)"
"""The mean over all tasks, which Table 2 has beside the sets."""

_PRETRAINED = ("B/16", "B/32", "L/16", "L/32", "H/14")
_TABLE5: dict[str, dict[str, tuple[float, ...]]] = {
    "ImageNet": {
        "CIFAR-10": (98.13, 97.77, 97.86, 97.94),
        "CIFAR-100": (87.13, 86.31, 86.35, 87.07),
        "ImageNet": (77.91, 73.38, 76.53, 71.16),
        "ReaL": (83.57, 79.56, 82.19, 77.83),
        "Flowers": (89.49, 85.43, 89.66, 86.36),
        "Pets": (93.81, 92.04, 93.64, 91.35),
    },
    "I21k": {
        "CIFAR-10": (98.95, 98.79, 99.16, 99.13, 99.27),
        "CIFAR-100": (91.67, 91.97, 93.44, 93.04, 93.82),
        "ImageNet": (83.97, 81.28, 85.15, 80.99, 85.13),
        "ReaL": (88.35, 86.63, 88.40, 85.65, 88.70),
        "Flowers": (99.38, 99.11, 99.61, 99.19, 99.51),
        "Pets": (94.43, 93.02, 94.73, 93.09, 94.82),
    },
    "JFT": {
        "CIFAR-10": (99.00, 98.61, 99.38, 99.19, 99.50),
        "CIFAR-100": (91.87, 90.49, 94.04, 92.52, 94.55),
        "ImageNet": (84.15, 80.73, 87.12, 84.37, 88.04),
        "ReaL": (88.85, 86.27, 89.99, 88.28, 90.33),
        "Flowers": (99.56, 99.27, 99.56, 99.45, 99.68),
        "Pets": (95.80, 93.40, 97.11, 95.83, 97.56),
    },
}

# ImageNet, ReaL, CIFAR-10, CIFAR-100, Pets, Flowers, VTAB.
_TABLE2: dict[str, tuple[float | None, ...]] = {
    "ViT-H/14 JFT": (88.55, 90.72, 99.50, 94.55, 97.56, 99.68, 77.63),
    "ViT-L/16 JFT": (87.76, 90.54, 99.42, 93.90, 97.32, 99.74, 76.28),
    "ViT-L/16 I21k": (85.30, 88.62, 99.15, 93.25, 94.67, 99.61, 72.72),
    "BiT-L R152x4": (87.54, 90.54, 99.37, 93.51, 96.62, 99.63, 76.29),
    "Noisy Student": (88.4, 90.55, None, None, None, None, None),
}
_TABLE6: dict[str, tuple[float | None, ...]] = {
    "ViT-B/32, 7 epochs": (80.73, 86.27, 98.61, 90.49, 93.40, 99.27),
    "ViT-B/16, 7 epochs": (84.15, 88.85, 99.00, 91.87, 95.80, 99.56),
    "ViT-L/32, 7 epochs": (84.37, 88.28, 99.19, 92.52, 95.83, 99.45),
    "ViT-L/16, 7 epochs": (86.30, 89.43, 99.38, 93.46, 96.81, 99.66),
    "ViT-L/16, 14 epochs": (87.12, 89.99, 99.38, 94.04, 97.11, 99.56),
    "ViT-H/14, 14 epochs": (88.08, 90.36, 99.50, 94.71, 97.11, 99.71),
    "ResNet50x1, 7 epochs": (77.54, 84.56, 97.67, 86.07, 91.11, 94.26),
    "ResNet50x2, 7 epochs": (82.12, 87.94, 98.29, 89.20, 93.43, 97.02),
    "ResNet101x1, 7 epochs": (80.67, 87.07, 98.48, 89.17, 94.08, 95.95),
    "ResNet152x1, 7 epochs": (81.88, 87.96, 98.82, 90.22, 94.17, 96.94),
    "ResNet152x2, 7 epochs": (84.97, 89.69, 99.06, 92.05, 95.37, 98.62),
    "ResNet152x2, 14 epochs": (85.56, 89.89, 99.24, 91.92, 95.75, 98.75),
    "ResNet200x3, 14 epochs": (87.22, 90.15, 99.34, 93.53, 96.32, 99.04),
    "R50x1+ViT-B/32, 7 epochs": (84.90, 89.15, 99.01, 92.24, 95.75, 99.46),
    "R50x1+ViT-B/16, 7 epochs": (85.58, 89.65, 99.14, 92.63, 96.65, 99.40),
    "R50x1+ViT-L/32, 7 epochs": (85.68, 89.04, 99.24, 92.93, 96.97, 99.43),
    "R50x1+ViT-L/16, 7 epochs": (86.60, 89.72, 99.18, 93.64, 97.03, 99.40),
    "R50x1+ViT-L/16, 14 epochs": (87.12, 89.76, 99.31, 93.89, 97.36, 99.11),
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

Table = dict[tuple[str, str], float]


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


def table2() -> Table:
    """The state of the art: fine-tuned, weights averaged, larger images on ImageNet; as shares."""
    return _by_row(_TABLE2, (*SETS, VTAB))


def table5() -> Table:
    """By pretraining set, fine-tuned at 384 pixels; as shares."""
    return {
        (f"ViT-{model} {data}", name): value / 100
        for data, columns in _TABLE5.items()
        for name, values in columns.items()
        for model, value in zip(_PRETRAINED, values, strict=False)
    }


def table6() -> Table:
    """The scaling study on JFT, fine-tuned; as shares."""
    return _by_row(_TABLE6, SETS)


def _by_row(table: dict[str, tuple[float | None, ...]], columns: Sequence[str]) -> Table:
    return {
        (row, name): value / 100
        for row, values in table.items()
        for name, value in zip(columns, values, strict=True)
        if value is not None
    }
