"""Small sets of digits in the layouts that VTAB-1k's tasks come in."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

_CUTS = {"train800": (0, 160), "val200": (160, 200), "test": (200, 300)}


def write_sets(root: Path) -> Path:
    """`svhn/` of class folders, `dsprites_loc/` of lists (odd or even), `eurosat.csv`."""
    digits = load_digits()
    pixels = np.rint(digits.images * 255 / 16).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(pixels))
    rows = [("path", "label", "part")]
    for part, (start, stop) in _CUTS.items():
        lines = []
        (root / "dsprites_loc" / "images").mkdir(parents=True, exist_ok=True)
        for at in order[start:stop].tolist():
            image, label = Image.fromarray(pixels[at]), int(digits.target[at])
            folder = root / "svhn" / part / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            image.save(folder / f"{at}.png")
            image.save(root / "dsprites_loc" / "images" / f"{at}.png")
            lines.append(f"images/{at}.png {label % 2}\n")
            rows.append((f"svhn/{part}/{label}/{at}.png", str(label), part))
        (root / "dsprites_loc" / f"{part}.txt").write_text("".join(lines))
    with open(root / "eurosat.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return root
