"""The page of what a model will see: originals, augmented versions, test crops, mixed images."""

import os
from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import denormalise
from vitreous.data.describe import describe_test, describe_training
from vitreous.data.faults import Faults
from vitreous.data.loader import TrainingLoader
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import Dataset, Part, label_words
from vitreous.data.split import Subset
from vitreous.data.transform import fit_for_test
from vitreous.data.workers import Workers
from vitreous.errors import BadImageError, UserError
from vitreous.objective.classify import Classification
from vitreous.objective.multilabel import MultiLabel
from vitreous.report.document import Html, Section, contents, group, section, write_document
from vitreous.report.pictures import enlarge, picture

_VERSIONS = 5
_MIXED = 6


def write_preview(
    path: str | os.PathLike[str],
    dataset: Dataset,
    tested: Preprocessing,
    trained: Preprocessing,
    augmentation: Augmentation,
    *,
    seed: int = 0,
    images: int = 8,
) -> None:
    """Write a page that shows training images as the model will see them.

    Pixels come out of the same loader and objective that training uses.

    Args:
        path: The HTML file.
        dataset: Has a train part.
        tested: The test rule.
        trained: The same with training's size.
        augmentation: What training draws.
        seed: Of the choice of images and of what is drawn.
        images: How many are shown.

    Raises:
        UserError: No image can be read, or the file cannot be written.
    """
    chosen = _choose(dataset.parts["train"], seed, images)
    plain = replace(augmentation, mixup=0.0, cutmix=0.0, repeats=1)
    versions = _versions(chosen, dataset, trained, plain, seed)
    parts = [
        _transforms(tested, trained, augmentation),
        _images(chosen, dataset, tested, versions),
        *(
            _mixtures(kind, chosen, dataset, trained, augmentation, seed)
            for kind in ("mixup", "cutmix")
            if getattr(augmentation, kind)
        ),
    ]
    count = f"{len(dataset.parts['train'].labels):,} training images"
    head = (
        '<header>\n<p class="kind">Preview</p>\n'
        f"<h1>{escape(dataset.address)}</h1>\n"
        f'<p class="about">{count} · {dataset.num_classes} classes · seed {seed}</p>\n</header>'
    )
    body = [head, contents(parts), *(part.text for part in parts)]
    write_document(path, f"{dataset.address} · preview · vitreous", body)


def _choose(part: Part, seed: int, images: int) -> Subset:
    """Readable images, of as many classes as there are among a few."""
    order = np.random.default_rng(seed).permutation(len(part.labels))[: 50 * images].tolist()
    seen: dict[bytes, int] = {}
    turns = []
    for index in order:
        label = part.labels[index].tobytes()
        seen[label] = seen.get(label, 0) + 1
        turns.append((seen[label], index))
    chosen = []
    for _, index in sorted(turns, key=lambda turn: turn[0]):
        try:
            part.read(index)
        except BadImageError:
            continue
        chosen.append(index)
        if len(chosen) == images:
            break
    if not chosen:
        raise UserError("none of the images looked at can be read: see `vitreous data check`")
    return Subset([part], np.array(chosen))


def _versions(
    part: Subset, dataset: Dataset, rule: Preprocessing, augmentation: Augmentation, seed: int
) -> list[list[UInt8[np.ndarray, "H W C"]]]:
    """For each image, what the first epochs would make of it."""
    count = len(part.labels)
    objective = _objective(dataset, rule, augmentation)
    versions: list[list[UInt8[np.ndarray, "H W C"]]] = [[] for _ in range(count)]
    loader = _loader(part, rule, augmentation, count, seed)
    for step, batch in enumerate(loader.batches(0, _VERSIONS)):
        task = objective.prepare(batch, np.random.default_rng((seed, step)))
        for index, image in zip(batch.index.tolist(), task.images, strict=True):
            versions[index].append(_pixels(image, rule))
    return versions


def _objective(
    dataset: Dataset, rule: Preprocessing, augmentation: Augmentation
) -> Classification | MultiLabel:
    if dataset.multi_label:
        return MultiLabel(rule, augmentation)
    return Classification(dataset.num_classes, rule, augmentation)


def _loader(
    part: Part, rule: Preprocessing, augmentation: Augmentation, batch_size: int, seed: int
) -> TrainingLoader:
    return TrainingLoader(
        part,
        rule,
        augmentation,
        batch_size=batch_size,
        seed=seed,
        faults=Faults(len(part.labels)),
        workers=Workers(kind="threads"),
        cache_bytes=0,
    )


def _pixels(image: Float[Tensor, "C H W"], rule: Preprocessing) -> UInt8[np.ndarray, "H W C"]:
    """Normalised pixels as they were before, in what a screen shows."""
    levels = (denormalise(image[None], rule)[0] * 255).round().clamp(0, 255).to(torch.uint8)
    return levels.permute(1, 2, 0).numpy()


def _transforms(
    tested: Preprocessing, trained: Preprocessing, augmentation: Augmentation
) -> Section:
    steps = "".join(f"<li>{escape(line)}</li>" for line in describe_training(trained, augmentation))
    text = (
        f'<div class="pair"><div><h3>Training</h3><ol>{steps}</ol></div>'
        f"<div><h3>Testing</h3><ol>"
        f"{''.join(f'<li>{escape(line)}</li>' for line in describe_test(tested).split('; '))}"
        "</ol></div></div>"
    )
    return section("transforms", "Transforms", "In the order in which they happen.", text)


def _images(
    part: Subset,
    dataset: Dataset,
    tested: Preprocessing,
    versions: Sequence[Sequence[UInt8[np.ndarray, "H W C"]]],
) -> Section:
    rows = []
    for index, drawn in enumerate(versions):
        original = part.read(index)
        crop = fit_for_test(original, tested).permute(1, 2, 0).numpy()
        name = escape(part.names[index])
        shown = [
            _card(original, f"original, {original.shape[1]} x {original.shape[0]}", name),
            _card(crop, "as tested", name),
            *(_card(image, f"training, epoch {n}", name) for n, image in enumerate(drawn)),
        ]
        title = escape(label_words(dataset.class_names, part.labels[index]))
        rows.append(
            f'<div class="seen"><h3>{title} <small title="{name}">{name.rsplit("/", 1)[-1]}'
            f"</small></h3>{group('strip', shown)}</div>"
        )
    return section(
        "images",
        "Images",
        "Each original, what a test sees of it, and what training sees in its first epochs.",
        *rows,
    )


def _mixtures(
    kind: str,
    part: Subset,
    dataset: Dataset,
    rule: Preprocessing,
    augmentation: Augmentation,
    seed: int,
) -> Section:
    """One image of each of a few batches that are mixed in one way."""
    alone = replace(augmentation, mix_probability=1.0, repeats=1)
    asked = replace(alone, cutmix=0.0) if kind == "mixup" else replace(alone, mixup=0.0)
    objective = _objective(dataset, rule, asked)
    loader = _loader(part, rule, asked, len(part.labels), seed)
    cards = []
    for step, batch in enumerate(loader.batches(0, _MIXED)):
        task = objective.prepare(batch, np.random.default_rng((seed, step, 1)))
        row = step % len(batch)
        shares = task.targets[row]
        words = [
            f"{100 * float(shares[label]):.0f} % {dataset.class_names[label]}"
            for label in shares.argsort(descending=True).tolist()
            if shares[label] >= 0.005
        ]
        cards.append(_card(_pixels(task.images[row], rule), ", ".join(words), kind))
    kinds = bool(augmentation.mixup) + bool(augmentation.cutmix)
    probability = 100 * augmentation.mix_probability / kinds
    return section(
        kind,
        kind.capitalize(),
        f"Two images in one, and their classes in the same shares: {probability:g} % of batches.",
        group("strip", cards),
    )


def _card(image: UInt8[np.ndarray, "H W C"], caption: str, name: str) -> Html:
    colours = image if image.shape[2] in (1, 3) else image[..., :1]
    shown = picture(enlarge(colours), name)
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"
