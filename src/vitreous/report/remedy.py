"""Artifacts and what takes them away: the part of an explanation that names register neurons."""

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from vitreous.analysis.register_neurons import Remedy, find_remedy
from vitreous.model.vit import VisionTransformer
from vitreous.report.document import group, name_cell, number_cell, section, table
from vitreous.report.findings import Findings
from vitreous.report.inside import layer_ticks
from vitreous.report.reading import percent
from vitreous.report.style import INK, PANEL, RIGHT, STYLE, WRONG, titled_figure


def add_remedy(
    findings: Findings, model: VisionTransformer, images: Float[Tensor, "B C H W"]
) -> Remedy | None:
    """Try a test-time register on images whose tokens hold artifacts, and say what it does.

    Args:
        findings: Where to.
        model: Without registers.
        images: Normalised pixels.

    Returns:
        What was found; None where none of these images has an artifact.
    """
    found = find_remedy(model, images)
    if found is None:
        return None
    rows = [
        {
            "layer": neuron.layer + 1,
            "neuron": neuron.index,
            "activation_at_artifacts": neuron.artifacts,
            "activation_elsewhere": neuron.others,
        }
        for neuron in found.neurons
    ]
    findings.tables["register_neurons"] = rows
    findings.numbers["remedy"] = {
        "images": len(images),
        "works": found.works,
        "neurons": rows,
        "agreement": found.agreement,
        **{
            when: {
                "artifact_share": lengths.share.tolist(),
                "longest_over_median": lengths.longest.tolist(),
                "last_attention_entropy_nats": lengths.entropy,
            }
            for when, lengths in (("before", found.before), ("after", found.after))
        },
    }
    drawing = findings.draw(
        "remedy",
        _figure(found),
        "The longest patch token of an image over the median of its patches, a mean over "
        f"{len(images)} images; over the dotted line a token counts as an artifact.",
    )
    cells = (
        (
            name_cell(f"layer {row['layer']}, neuron {row['neuron']}"),
            *(number_cell(row[key], f"{row[key]:.2f}") for key in list(row)[2:]),
        )
        for row in rows
    )
    listed = table(("Neuron", "At artifacts", "Elsewhere"), cells, "Activation of the neurons")
    findings.sections.append(
        section(
            "remedy", "Artifacts, and a remedy", _words(found), group("pair", (drawing, listed))
        )
    )
    return found


def _words(found: Remedy) -> str:
    before, after = (float(lengths.share.max()) for lengths in (found.before, found.after))
    count = len(found.neurons)
    neurons = "1 neuron" if count == 1 else f"{count} neurons"
    stayed = ""
    if found.agreement is not None:
        stayed = f" The most probable class stays in {percent(found.agreement, 0)} of the images."
    verdict = (
        f"Artifacts fall from {percent(before)} of the patches to {percent(after)}"
        if after < before
        else f"Artifacts stay: {percent(before)} of the patches before, {percent(after)} after"
    )
    return (
        f"The activation of {neurons} is moved from the patches to a register, a token that starts "
        f"at zero and that nobody reads; nothing is trained. {verdict}; the entropy of the last "
        f"layer's attention goes from {found.before.entropy:.2f} to {found.after.entropy:.2f} nats."
        f"{stayed}"
    )


@rc_context(STYLE)
def _figure(found: Remedy) -> Figure:
    figure = titled_figure("Longest patch token", PANEL, 3.2)
    axes = figure.add_subplot(xlabel="network depth (layer)", ylabel="times the median")
    layers = len(found.before.longest)
    x = np.arange(1, layers + 1)
    for lengths, colour, name in (
        (found.before, WRONG, "as trained"),
        (found.after, RIGHT, "with a test-time register"),
    ):
        axes.plot(x, lengths.longest, "o-", color=colour, markersize=4, label=name)
    axes.axhline(3, color=INK, linewidth=1, linestyle=(0, (1, 2)))
    axes.set_ylim(0)
    figure.legend(loc="outside lower left", ncols=2)
    layer_ticks(axes, layers)
    return figure
