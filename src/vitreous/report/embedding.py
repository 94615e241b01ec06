"""How pixels and places enter: the part of an explanation that needs no image."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.analysis.filters import filter_components
from vitreous.analysis.position_similarity import added_positions, position_similarity
from vitreous.model.vit import VisionTransformer
from vitreous.report import inside
from vitreous.report.document import group, section
from vitreous.report.findings import Findings
from vitreous.report.reading import percent


def add_embedding(findings: Findings, model: nn.Module) -> None:
    """Add the filters, and the positions of a model that has them: figures, table and a section."""
    components = filter_components(first_kernel(model))
    shown = float(components.explained.sum())
    findings.numbers["filters_explained"] = components.explained.tolist()
    what = "patch embedding" if getattr(model, "patch", None) is not None else "first convolution"
    if isinstance(model, VisionTransformer) and model.config.stem is not None:
        what = "ResNet stem's first convolution"
    drawings = [
        findings.draw(
            "filters",
            inside.filters(components.images),
            f"Principal components of the {what}'s kernel, the strongest first; together they hold "
            f"{percent(shown)} of its variance. Their signs are arbitrary.",
        )
    ]
    words = ""
    if isinstance(model, VisionTransformer):
        positions = added_positions(model)
        if positions.any() and positions[..., 0].numel() > 1:
            similarity = position_similarity(positions).cpu()
            near, far = _near_and_far(similarity)
            findings.numbers["position_similarity"] = {"neighbours": near, "all": far}
            findings.tables["position_similarity"] = _rows(similarity.numpy())
            words = (
                f"Position embeddings of neighbouring patches have a cosine of {near:.2f}, of any "
                f"two {far:.2f}."
            )
            drawings.append(
                findings.draw(
                    "position_similarity",
                    inside.position_similarity(similarity.numpy()),
                    "Each map: how alike the position of that patch is to those of all patches. A "
                    "model that has learnt the image's plane shows a bright spot that wanders.",
                )
            )
    if not findings.reading:
        findings.reading.append(words)
        words = ""
    findings.sections.append(section("weights", "In the weights", words, group("pair", drawings)))


def first_kernel(model: nn.Module) -> Float[Tensor, "D C P P2"]:
    """The kernel that meets the pixels: the patch embedding's, or that of the first convolution."""
    convolutions = (m.weight for m in model.modules() if isinstance(m, nn.Conv2d))
    kernel = next(convolutions, None)
    if kernel is None:
        kernel = model.get_parameter("patch.weight")
    return kernel


def _near_and_far(similarity: Float[Tensor, "h w h w"]) -> tuple[float, float]:
    """Mean cosine of patches side by side, and of any two."""
    h, w = similarity.shape[:2]
    right = [similarity[r, c, r, c + 1] for r in range(h) for c in range(w - 1)]
    below = [similarity[r, c, r + 1, c] for r in range(h - 1) for c in range(w)]
    total, count = float(similarity.sum()), h * w
    return float(torch.stack(right + below).mean()), (total - count) / (count * (count - 1))


def _rows(similarity: Float[np.ndarray, "h w h w"]) -> list[dict[str, int | float]]:
    """One row a patch: its place, then its similarity to each patch, in reading order."""
    h, w = similarity.shape[:2]
    names = [f"{row + 1},{column + 1}" for row, column in np.ndindex(h, w)]
    return [
        {"row": row + 1, "column": column + 1}
        | dict(zip(names, similarity[row, column].ravel().tolist(), strict=True))
        for row, column in np.ndindex(h, w)
    ]
