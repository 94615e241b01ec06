"""How good a frozen model's features are: few-shot, nearest neighbours, a linear probe."""

from collections.abc import Sequence
from typing import Any

import torch

from vitreous.data.sample import Dataset
from vitreous.evaluate.embed import Features
from vitreous.evaluate.features import Labelled, read_features
from vitreous.evaluate.few_shot import L2, FewShot, all_draws, few_shot
from vitreous.evaluate.interval import wilson_interval
from vitreous.evaluate.linear_probe import linear_probe
from vitreous.evaluate.neighbours import nearest_labels
from vitreous.model.classifier import Classifier
from vitreous.parallel.device import Engine


def probe(
    model: Classifier,
    dataset: Dataset,
    part: str,
    engine: Engine,
    *,
    shots: Sequence[int] = (),
    seeds: int = 3,
    l2: float = L2,
    neighbours: int | None = None,
    linear: bool = False,
    features: Features | None = None,
    batch_size: int = 64,
) -> dict[str, Any]:
    """Learn from the features of the train part, and measure on another.

    Only the images that are needed are run through the model.

    Args:
        model: Frozen; it needs no head, and the data may have other classes than it knows.
        dataset: With a train part.
        part: What is measured on.
        engine: Device and precision.
        shots: Images a class, of few-shot; none leaves it out.
        seeds: Draws of few-shot.
        l2: Penalty of few-shot.
        neighbours: How many vote; None leaves them out.
        linear: Whether a linear probe is swept.
        features: Which; what the head reads where not given.
        batch_size: Images at once.

    Returns:
        `model`, `data`, `width` (of the features), `train_images`, `part`, `num_images`,
        `skipped` (images that could not be read and why, by name), and of what was asked for:
        `few_shot`, a row a count with `shots`, mean `accuracy`, `spread` (its deviation over draws)
        and `accuracies`; `neighbours` with `neighbours`, `accuracy` and `accuracy_interval` (95 %);
        `linear` with these two, `l2` and `sweep`.

    Raises:
        UserError: More shots than images of a class, or more neighbours than images; features that
            the model lacks; too many unreadable images.
    """
    train, names = dataset.parts["train"], dataset.class_names
    places = None
    if neighbours is None and not linear:
        places = all_draws(train.labels, names, max(shots), seeds).tolist()

    def read(name: str, places: Sequence[int] | None) -> Labelled:
        return read_features(
            model,
            dataset.parts[name],
            engine,
            features=features,
            places=places,
            batch_size=batch_size,
        )

    known = read("train", places)
    test = read(part, None)
    results: dict[str, Any] = {
        "model": model.config.name,
        "data": dataset.address,
        "width": known.features.shape[1],
        "train_images": len(train.labels) - len(known.skipped),
        "part": part,
        "num_images": len(test.labels),
        "skipped": {**known.skipped, **test.skipped},
    }
    if shots:
        found = few_shot(known, test, train.labels, names, shots, seeds=seeds, l2=l2)
        results["few_shot"] = [_row(one) for one in found]
    if neighbours is not None:
        tensors = [torch.from_numpy(a) for a in (known.features, known.labels, test.features)]
        near, labels, asked = (tensor.to(engine.device) for tensor in tensors)
        told = nearest_labels(near, labels, asked, neighbours=neighbours).cpu().numpy()
        right = int((told == test.labels).sum())
        results["neighbours"] = {"neighbours": neighbours, **_share(right, len(told))}
    if linear:
        line = linear_probe(known, test)
        results["linear"] = {
            **_share(round(line.accuracy * len(test.labels)), len(test.labels)),
            "l2": line.l2,
            "sweep": [{"l2": l2, "accuracy": share} for l2, share in line.sweep.items()],
        }
    return results


def _row(found: FewShot) -> dict[str, Any]:
    return {
        "shots": found.shots,
        "accuracy": found.mean,
        "spread": found.spread,
        "accuracies": list(found.accuracies),
    }


def _share(right: int, total: int) -> dict[str, Any]:
    return {
        "accuracy": right / total,
        "accuracy_interval": list(wilson_interval(right, total)),
    }
