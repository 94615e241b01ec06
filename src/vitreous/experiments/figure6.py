"""Figures 6 and 14: where the model looks, by attention rollout."""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from vitreous.data.sample import Part
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.results import Cell, Outcome, Results
from vitreous.experiments.subject import drawn_of, looks
from vitreous.experiments.trial import Trial
from vitreous.model.classifier import Classifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IMAGES, _MANY = 12, 128
_MARKED, _CHANCE = "brightest patches painted over", "patches painted over at random"
_LARGE, _SMALL = 224, 96  # sides of the pictures that are kept, at most, of few and of many


def look(model: Classifier, part: Part, images: int) -> Outcome:
    """Rollout of each image; of the first dozen, what becomes of the answer without its patches."""
    import torch

    from vitreous.analysis.attention import read_by_head
    from vitreous.analysis.rollout import rollout
    from vitreous.analysis.trust import measure_trust, random_trust
    from vitreous.data.batch import normalise
    from vitreous.data.transform import fit_for_test
    from vitreous.model.recording import Recording
    from vitreous.model.vit import VisionTransformer
    from vitreous.parallel.device import choose_engine
    from vitreous.report.image_view import light
    from vitreous.report.pictures import enlarge
    from vitreous.weights.passport import passport_of

    assert isinstance(model, VisionTransformer), "checked before"
    rule, device = passport_of(model).preprocessing, choose_engine("auto", "float32").device
    model = model.to(device)
    pictures, areas = [], []
    for place in range(min(images, len(part.labels))):
        fitted = fit_for_test(part.read(place), rule)
        image = normalise(fitted[None].to(device), rule)
        recording = Recording(attention="all")
        with torch.inference_mode():
            logits = model(image, recording=recording)
        flow = rollout(recording)
        heat = read_by_head(flow, recording.grid, recording.prefix, model.config.pooling)[0]
        seen = enlarge(fitted.permute(1, 2, 0).numpy())
        lit = light(seen, heat.cpu().numpy())
        side = _LARGE if images <= _IMAGES else _SMALL
        pictures.append([packed(seen, side), packed(lit, side)])
        if place < _IMAGES and model.config.num_classes:
            label = int(logits.argmax())
            marked = measure_trust(model, image[0], heat, label).deletion.area
            chance = random_trust(model, image[0], recording.grid, label).deletion.area
            areas.append([marked, chance])
    values = {}
    if areas:
        means = np.mean(areas, axis=0)
        values = {_MARKED: float(means[0]), _CHANCE: float(means[1])}
    return Outcome(
        {"images": float(len(pictures)), **values}, facts={"pictures": pictures, "areas": areas}
    )


def _trials(setting: Setting) -> Sequence[Trial]:
    return looks(setting, "figure6", look, images=_IMAGES)


def findings(results: Results) -> Sequence[Finding]:
    """Whether what the maps mark matters to the answer."""
    found = []
    for row in results.rows:
        claim = f"{row}: it attends to what the answer hangs on"
        facts = results[row, "images"].facts[0]
        areas = facts["areas"]
        if not areas:
            found.append(Finding(claim, "not shown", "the model has no head, and gives no answer"))
            continue
        marked, chance = (Cell(tuple(column)) for column in zip(*areas, strict=True))
        told = higher(claim, chance, marked)
        words = (
            f"{told.why} of the class's probability more is lost than at random, over {len(areas)} "
            f"images of {facts['images of']}, while patches are painted over"
        )
        found.append(Finding(claim, told.verdict, words))
    return found


def pairs(results: Results, row: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each image and the same one lit."""
    kept = results[row, "images"].facts[0]["pictures"]
    return [(unpacked(seen), unpacked(lit)) for seen, lit in kept]


def _draw(results: Results) -> "Figure":
    from vitreous.report.paper_figures import input_and_attention

    row = results.rows[0]
    title = f"Attention from the output, {row}{drawn_of(results.rows, 1)}"
    return input_and_attention(pairs(results, row), title, across=3)


def packed(pixels: UInt8[np.ndarray, "H W C"], side: int) -> str:
    """Pack a picture into text that JSON can hold, smaller where a side is over `side` pixels."""
    from PIL import Image

    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def unpacked(text: str) -> UInt8[np.ndarray, "H W 3"]:
    """Return the picture that `packed` made text of, in colours."""
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
        return np.asarray(picture.convert("RGB"))


FIELDS: dict[str, Any] = {
    "published_as": "drawn and not printed: ViT-L/16",
    "form": {"": ".1%", "images": ".0f"},
    "findings": findings,
    "takes_weights": True,
    "drawn": ("pictures",),
}
"""What Figures 6 and 14 have in common."""

EXPERIMENT = Experiment(
    name="figure6",
    title="where the model looks, by attention rollout: a dozen images",
    source="Figure 6, appendix D.8",
    scales={
        "pocket": Scale(
            what="mean probability of the class while patches are painted over, of each checkpoint "
            "of --weights on a dozen flower photos (on images of CIFAR-10 where --data has no "
            "flowers), or else of a ViT of 6 blocks trained here on 10,000 images of CIFAR-10",
            minutes=8,
            seeds=1,
        )
    },
    trials=_trials,
    draw=_draw,
    **FIELDS,
)
