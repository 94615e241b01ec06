"""The page of a run without labels: what the model makes of images that it sees in part."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from vitreous.objective.masked_patch import Reconstruction
from vitreous.report.curves import History
from vitreous.report.document import Html, contents, group, section, write_document
from vitreous.report.pictures import picture
from vitreous.report.sections import training

_KINDS = ("original", "what the model saw", "what it made of it")


def write_reconstructions(
    path: str | os.PathLike[str],
    report: Mapping[str, Any],
    shown: Reconstruction,
    names: Sequence[str],
    history: History = (),
) -> None:
    """Write a page of images, each three times: whole, in part, and completed by the model.

    Args:
        path: The HTML file.
        report: `run`, `model`, `objective`, `part`, `num_images`, and `loss` on that part.
        shown: The images.
        names: Of the images.
        history: Lines of metrics.jsonl.

    Raises:
        UserError: The file cannot be written. No part of it is left behind.
    """
    columns = [[_pixels(image) for image in images] for images in shown]
    rows = [
        _triple(three, name) for three, name in zip(zip(*columns, strict=True), names, strict=True)
    ]
    seen = section(
        "reconstructions",
        "Reconstructions",
        "Each image as it is, what the model saw of it (hidden patches are grey), and its visible "
        "patches with what the model says of the others. Where it is asked for patches of mean 0 "
        "and variance 1, as a masked autoencoder is, they are shown at the true ones.",
        group("triples", rows),
    )
    about = " · ".join(
        [
            str(report["model"]),
            str(report["objective"]).replace("_", " "),
            f"loss {report['loss']:.3f} on {report['num_images']:,} {report['part']} images",
        ]
    )
    head = (
        '<header>\n<p class="kind">Pretraining</p>\n'
        f'<h1>{escape(str(report["run"]))}</h1>\n<p class="about">{escape(about)}</p>\n</header>'
    )
    parts = [seen, training(history)]
    body = [head, contents(parts), *(part.text for part in parts)]
    write_document(path, f"{report['run']} · reconstructions · vitreous", body)


def _pixels(image: Float[Tensor, "C H W"]) -> UInt8[np.ndarray, "H W C"]:
    """Levels of a screen; of images with other channels than a picture's, the first."""
    levels = (image * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return levels if levels.shape[2] in (1, 3) else levels[..., :1]


def _triple(images: Sequence[UInt8[np.ndarray, "H W C"]], name: str) -> Html:
    pictures = (
        picture(image, escape(f"{name}: {kind}"))
        for image, kind in zip(images, _KINDS, strict=True)
    )
    caption = f"<figcaption><small>{escape(name)}</small></figcaption>"
    return f'<figure><div class="triple">{"".join(pictures)}</div>{caption}</figure>'
