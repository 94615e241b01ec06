"""From a model and a part of the data to report.json and report.html."""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import vitreous
from vitreous.analysis.attention import head_attention
from vitreous.data.batch import normalise
from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.data.recoloured import in_channels_of
from vitreous.data.sample import Dataset, Labels, Part, require_one_label
from vitreous.data.transform import fit_for_test
from vitreous.durable import write_text
from vitreous.errors import BadImageError
from vitreous.evaluate.classification import classification_report, most_confident_mistakes
from vitreous.evaluate.inference import Inference, infer
from vitreous.evaluate.labels import in_model_order, match_classes, named_by_data
from vitreous.evaluate.multilabel import multilabel_report
from vitreous.model.classifier import Classifier
from vitreous.model.recording import Recording
from vitreous.parallel.device import Engine
from vitreous.report.multilabel_view import write_multilabel_report
from vitreous.report.page import write_report
from vitreous.report.pictures import AttentionView, Mistake, reduced
from vitreous.weights.passport import Passport, passport_of

_MISTAKES = 24
_VIEWS = 9  # three columns


def evaluate_part(
    model: Classifier,
    dataset: Dataset,
    part: str,
    engine: Engine,
    *,
    batch_size: int = 64,
    bad_limit: float = 0.01,
) -> tuple[dict[str, Any], Inference]:
    """Measure a model on one part of a data set, each image once.

    Args:
        model: With its passport; moved to the engine's device.
        dataset: Its classes are matched with the model's by name; files are read in its channels.
        part: Which part.
        engine: Device and precision.
        batch_size: Images at once; the result does not depend on it.
        bad_limit: Share of unreadable images over which it stops.

    Returns:
        What `report.json` holds, and the answers it was counted from, labels in the model's order.

    Raises:
        UserError: Other classes than the model's, or arrays of other channels; too many
            unreadable images.
    """
    passport = named_by_data(passport_of(model), dataset.class_names)
    if not passport.multi_label:
        require_one_label(dataset, "evaluation of this model")
    dataset = in_channels_of(passport.preprocessing, dataset)
    places = match_classes(passport.class_names, dataset.class_names)
    images = dataset.parts[part]
    faults = Faults(len(images.labels), bad_limit)
    loader = EvaluationLoader(images, passport.preprocessing, batch_size=batch_size, faults=faults)
    begin = time.perf_counter()
    answers = infer(model.to(engine.device), loader, engine)
    seconds = time.perf_counter() - begin
    labels = in_model_order(
        answers.labels, places, len(passport.class_names), multi_label=passport.multi_label
    )
    answers = Inference(answers.logits, labels, answers.index)
    measure = multilabel_report if passport.multi_label else classification_report
    report = measure(
        answers.logits,
        answers.labels,
        passport.class_names,
        skipped=[f"{name}: {reason}" for name, reason in faults.reasons.items()],
    )
    report |= {
        "data": dataset.address,
        "part": part,
        "model": passport.architecture.name,
        "pooling": passport.architecture.pooling,
        "assumptions": list(passport.assumptions),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "image_size": list(passport.preprocessing.size),
        "precision": engine.precision,
        "images_per_second": len(answers.labels) / seconds,
    }
    return report, answers


def write_run_report(
    folder: Path,
    model: Classifier,
    dataset: Dataset,
    report: Mapping[str, Any],
    answers: Inference,
    engine: Engine,
    *,
    history: Sequence[Mapping[str, float]] = (),
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write report.json and report.html into a folder.

    Args:
        folder: Where to.
        model: As measured.
        dataset: As measured.
        report: What `evaluate_part` gave, with `run` and `seconds` where they are known.
        answers: As `evaluate_part` gave them.
        engine: Device and precision, for the attention pictures.
        history: Lines of metrics.jsonl.
        facts: More lines for the end of the page.

    Raises:
        UserError: The folder cannot be written.
    """
    passport = named_by_data(passport_of(model), dataset.class_names)
    part = in_channels_of(passport.preprocessing, dataset).parts[str(report["part"])]
    numbers = json.dumps(dict(report), indent=1) + "\n"
    written = {**report, "facts": dict(facts or {}) | _machine(engine)}
    if passport.multi_label:
        write_multilabel_report(folder / "report.html", written, history)
    else:
        write_report(
            folder / "report.html",
            written,
            history,
            _mistakes(part, answers, passport),
            _attention_views(model, part, answers, passport, engine),
        )
    write_text(folder / "report.json", numbers)  # last: a folder that has it is complete


def _mistakes(part: Part, answers: Inference, passport: Passport) -> list[Mistake]:
    places = most_confident_mistakes(answers.logits, answers.labels, _MISTAKES)
    mistakes = []
    for place in places:
        shown = _picture(part, answers, passport, int(place))
        shown["image"] = reduced(shown["image"])  # two dozen whole photographs may not fit
        mistakes.append(Mistake(**shown))
    return mistakes


def _attention_views(
    model: Classifier,
    part: Part,
    answers: Inference,
    passport: Passport,
    engine: Engine,
) -> list[AttentionView]:
    """Attention over images spread evenly over the classes; none of a model without."""
    last = model.config.attention_layers - 1
    places = spread(answers.labels, _VIEWS) if last >= 0 else []
    rule = passport.preprocessing
    views = []
    recording = Recording(attention=[last])
    for place in places:
        shown = _picture(part, answers, passport, int(place))
        pixels = fit_for_test(shown["image"], rule)
        with torch.inference_mode():
            model(normalise(pixels[None].to(engine.device), rule), recording=recording)
        shares = head_attention(recording, last, model.config.pooling)
        # What the model saw, not what was cut off before.
        shown["image"] = pixels.permute(1, 2, 0).numpy()
        views.append(AttentionView(**shown, attention=shares[0].cpu().numpy()))
    return views


def spread(labels: Labels, limit: int) -> list[int]:
    """Places of at most so many images, class after class in turn, the first of each first.

    Where images have several labels, those of the same ones count as a class.
    """
    found, kinds = np.unique(labels, axis=0, return_inverse=True)
    by_class = [np.flatnonzero(kinds.ravel() == kind).tolist() for kind in range(len(found))]
    turns = [places[turn] for turn in range(limit) for places in by_class if turn < len(places)]
    return turns[:limit]


def _picture(part: Part, answers: Inference, passport: Passport, place: int) -> dict[str, Any]:
    index = int(answers.index[place])
    logits = answers.logits[place].astype(np.float64)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    try:
        image = part.read(index)
    except BadImageError as error:  # it was readable a moment ago
        raise OSError(f"{error.name} changed while it was read") from error
    return {
        "name": part.names[index],
        "image": image,
        "truth": passport.class_names[answers.labels[place]],
        "predicted": passport.class_names[int(shares.argmax())],
        "confidence": float(shares.max()),
    }


def _machine(engine: Engine) -> dict[str, str]:
    return {
        "Precision": f"{engine.precision} ({engine.reason})",
        "Device": torch.cuda.get_device_name() if engine.device.type == "cuda" else "CPU",
        "Versions": f"vitreous {vitreous.__version__}, PyTorch {torch.__version__}, "
        f"Python {platform.python_version()}",
    }
