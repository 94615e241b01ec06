"""A data set, explained: what each layer does over many images, and where the model looks."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.analysis.attention import read_by_head
from vitreous.analysis.register_neurons import Remedy
from vitreous.analysis.rollout import follow
from vitreous.analysis.survey import survey
from vitreous.data.batch import normalise
from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.recoloured import in_channels_of
from vitreous.data.sample import Dataset, Part, label_words
from vitreous.data.split import Subset
from vitreous.data.transform import fit_for_test
from vitreous.errors import BadImageError
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import Engine
from vitreous.report.assemble import spread
from vitreous.report.document import group, section
from vitreous.report.findings import Findings
from vitreous.report.image_view import light, pair_card
from vitreous.report.inside import gallery
from vitreous.report.layers import add_layers
from vitreous.report.pictures import enlarge
from vitreous.report.remedy import add_remedy
from vitreous.weights.passport import passport_of

_SHOWN = 12
_REMEDIED = 32


def add_data(
    findings: Findings,
    model: VisionTransformer,
    dataset: Dataset,
    part: str,
    engine: Engine,
    *,
    limit: int,
    batch_size: int = 64,
    bad_limit: float = 0.01,
    advance: Callable[[int], None] | None = None,
) -> Remedy | None:
    """Add distances, entropies, lengths and ranks over images, and the rollout of some.

    Where tokens are artifacts and the model has no registers, a test-time register is tried on 32
    images.

    Args:
        findings: Where to.
        model: With its passport, on the engine's device.
        dataset: Its classes need not be the model's; files are read in the model's channels.
        part: Which part.
        engine: Device and precision.
        limit: Images at most, spread over the classes.
        batch_size: Images at once.
        bad_limit: Share of unreadable images over which it stops.
        advance: Told how many images are done, after each batch.

    Returns:
        The remedy of artifacts, where one was tried.

    Raises:
        UserError: Arrays of other channels than the model's; too many unreadable images.
    """
    rule = passport_of(model).preprocessing
    dataset = in_channels_of(rule, dataset)
    whole = dataset.parts[part]
    turns = spread(whole.labels, limit)
    chosen = Subset([whole], np.sort(turns))
    faults = Faults(len(chosen.labels), bad_limit)
    loader = EvaluationLoader(chosen, rule, batch_size=batch_size, faults=faults)
    found = survey(model, loader, engine, advance)
    skipped = f", {len(faults.reasons)} unreadable left out" if faults.reasons else ""
    findings.about.append(f"{found.count:,} {part} images of {dataset.address}{skipped}")
    findings.numbers |= {"data": dataset.address, "part": part, "skipped": dict(faults.reasons)}
    cards, pictures = [], []
    for place in turns[:_SHOWN]:
        try:
            pixels = whole.read(place)
        except BadImageError:
            continue
        fitted = fit_for_test(pixels, rule)
        seen = enlarge(fitted.permute(1, 2, 0).numpy())
        lit = light(seen, _rollout(model, normalise(fitted[None].to(engine.device), rule)))
        name = label_words(dataset.class_names, whole.labels[place])
        cards.append(pair_card(seen, lit, name))
        pictures += [(name, seen), ("", lit)]
    findings.keep("rollout", gallery(pictures, 8, "Attention rollout"))
    findings.sections.append(
        section(
            "rollout",
            "Where it looks",
            "Images of each class as the model saw them, and lit by attention rollout: where what "
            "the head reads came from, through all layers, from the least (dark) to the most.",
            group("views", cards),
        )
    )
    add_layers(findings, found)
    marked = any(bool(spread.mean > 0) for spread in found.artifacts.values())
    if model.config.registers or not marked:
        return None
    return add_remedy(findings, model, _images(whole, turns[:_REMEDIED], rule).to(engine.device))


def _images(part: Part, places: Sequence[int], rule: Preprocessing) -> Float[Tensor, "B C H W"]:
    """As the model sees them; without those that cannot be read."""
    fitted = []
    for place in places:
        with suppress(BadImageError):
            fitted.append(fit_for_test(part.read(place), rule))
    return normalise(torch.stack(fitted), rule)


def _rollout(model: VisionTransformer, image: Tensor) -> Float[np.ndarray, "h w"]:
    rolled: list[Tensor] = []

    def each(recording: Recording, layer: int) -> None:
        rolled[:] = [follow(rolled[0] if rolled else None, recording.attention[layer])]

    recording = Recording(attention="all", each=each)
    with torch.inference_mode():
        model(image, recording=recording)
    heat = read_by_head(rolled[0], recording.grid, recording.prefix, model.config.pooling)
    return heat[0].cpu().numpy()
