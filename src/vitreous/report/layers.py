"""What each layer and head does: the part of an explanation that a survey gives."""

from math import log

import numpy as np
import torch
from jaxtyping import Float

from vitreous.analysis.distance import uniform_distance
from vitreous.analysis.spread import Spread
from vitreous.analysis.survey import Survey
from vitreous.report.document import group, section
from vitreous.report.findings import Findings
from vitreous.report.inside import by_head, by_layer
from vitreous.report.reading import percent


def add_layers(findings: Findings, survey: Survey) -> None:
    """Add distance, entropy, lengths and ranks: figures, tables and a section.

    Args:
        findings: Where to.
        survey: Of one image or many; where it is one, no spread is shown.
    """
    many = survey.count > 1
    distance, distance_sd = _columns(survey.distance)
    entropy, entropy_sd = _columns(survey.entropy)
    norm, norm_sd = _columns(survey.norm)
    rank, rank_sd = _columns(survey.rank)
    artifacts, _ = _columns(survey.artifacts)
    everywhere, tokens = uniform_distance(survey.grid, survey.patch), survey.tokens
    findings.tables["heads"] = [
        {
            "layer": layer + 1,
            "head": head + 1,
            "distance_pixels": float(distance[layer, head]),
            "distance_sd": float(distance_sd[layer, head]),
            "entropy_nats": float(entropy[layer, head]),
            "entropy_sd": float(entropy_sd[layer, head]),
        }
        for layer, head in np.ndindex(distance.shape)
    ]
    findings.tables["layers"] = [
        {
            "layer": layer + 1,
            "token_length": float(norm[layer]),
            "token_length_sd": float(norm_sd[layer]),
            "effective_rank": float(rank[layer]),
            "effective_rank_sd": float(rank_sd[layer]),
            "artifact_share": float(artifacts[layer]),
        }
        for layer in range(len(norm))
    ]
    findings.numbers |= {
        "images": survey.count,
        "uniform_distance_pixels": everywhere,
        "uniform_entropy_nats": log(tokens),
        "heads": findings.tables["heads"],
        "layers": findings.tables["layers"],
    }
    over = f", mean of {survey.count:,} images; a line is one standard deviation" if many else ""
    band = "; the band is one standard deviation" if many else ""
    sides = (survey.patch, survey.patch) if isinstance(survey.patch, int) else survey.patch
    height, width = (n * side for n, side in zip(survey.grid, sides, strict=True))
    drawings = [
        findings.draw(
            "attention_distance",
            by_head(
                "Mean attention distance",
                "mean attention distance (pixels)",
                distance,
                distance_sd if many else None,
                (everywhere, f"all patches alike: {everywhere:.3g} px"),
            ),
            f"A dot is a head{over}. Pixels of the {height} × {width} image; patches alone: the "
            "class token and registers are left out and the rest scaled to one.",
        ),
        findings.draw(
            "attention_entropy",
            by_head(
                "Entropy of attention",
                "entropy (nats)",
                entropy,
                entropy_sd if many else None,
                (log(tokens), f"all {tokens} tokens alike: {log(tokens):.2f}"),
            ),
            "Low: a head attends to few tokens. At the dashed line: to all alike.",
        ),
        findings.draw(
            "token_length",
            by_layer("Length of patch tokens", "mean length", norm, norm_sd if many else None),
            f"Euclidean norm after each block{band}. {_artifacts(artifacts)}",
        ),
        findings.draw(
            "effective_rank",
            by_layer(
                "Directions of patch tokens", "effective rank", rank, rank_sd if many else None
            ),
            f"How many directions the patches of one image fill after each block{band}. At 1 all "
            "patches say the same.",
        ),
    ]
    lead = _lead(distance, everywhere)
    if many:
        findings.reading.append(lead)
        lead = f"Means over {survey.count:,} images."
    findings.sections.append(section("layers", "Layer by layer", lead, group("pair", drawings)))


def _columns(spreads: dict[int, Spread]) -> tuple[Float[np.ndarray, "L *k"], np.ndarray]:
    layers = sorted(spreads)
    return (
        torch.stack([spreads[layer].mean for layer in layers]).numpy(),
        torch.stack([spreads[layer].deviation for layer in layers]).numpy(),
    )


def _lead(distance: Float[np.ndarray, "L k"], everywhere: float) -> str:
    near = np.unravel_index(distance.argmin(), distance.shape)
    far = np.unravel_index(distance.argmax(), distance.shape)
    wide = float((distance > 0.9 * everywhere).mean())
    decimals = 0 if everywhere > 20 else 1
    low, high, level = (f"{x:.{decimals}f}" for x in (distance.min(), distance.max(), everywhere))
    return (
        f"Heads look {low} to {high} pixels far: the nearest is head "
        f"{near[1] + 1} of layer {near[0] + 1}, the farthest head {far[1] + 1} of layer "
        f"{far[0] + 1}. {percent(wide, 0)} of them look about as far as if all patches were alike "
        f"to them ({level} pixels)."
    )


def _artifacts(share: Float[np.ndarray, " L"]) -> str:
    worst = int(share.argmax())
    if share[worst] == 0:
        return "No token is over three times as long as the median of its image: no artifacts."
    return (
        f"After layer {worst + 1}, {percent(share[worst])} of the patches are artifacts: over "
        "three times as long as the median of their image."
    )
