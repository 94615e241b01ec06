"""The parts of a report's page, each from the numbers it shows."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from vitreous.report.curves import History, curve, training_curves
from vitreous.report.document import (
    Html,
    Section,
    bar_cell,
    facts,
    figure,
    group,
    name_cell,
    number_cell,
    section,
    table,
)
from vitreous.report.figures import confusion_matrix, reliability
from vitreous.report.pictures import (
    AttentionView,
    Mistake,
    attention_overlay,
    enlarge,
    picture,
)
from vitreous.report.reading import (
    confused_pairs,
    duration,
    percent,
    read_accuracy,
    read_calibration,
    size,
)

_MOST_SKIPPED = 50


def header(report: Mapping[str, Any]) -> Html:
    """Name the run, say what was measured, and read its main numbers aloud."""
    name = report.get("run") or report.get("model") or "Evaluation"
    about = [report["model"]] if report.get("model") and report["model"] != name else []
    if "parameters" in report:
        about.append(f"{report['parameters']:,} parameters")
    if "image_size" in report:
        about.append(size(report["image_size"]))
    place = f"{report['num_images']:,} {report.get('part', '')} images".replace("  ", " ")
    about.append(f"{place} of {report['data']}" if report.get("data") else place)
    return (
        '<header>\n<p class="kind">Evaluation</p>\n'
        f"<h1>{escape(str(name))}</h1>\n"
        f'<p class="about">{escape(" · ".join(about))}</p>\n'
        f'<p class="reading">{escape(read_accuracy(report))}</p>\n'
        f"{_key_numbers(report)}\n</header>"
    )


def accuracy_interval(report: Mapping[str, Any]) -> Html:
    """Draw accuracy as a mark inside its interval, on a line from 0 to 100 %."""
    low, high = report["accuracy_interval"]
    return (
        f'<span class="interval" style="--low: {low:.4f}; --high: {high:.4f}; '
        f'--at: {report["accuracy"]:.4f}"><i></i><b></b></span>'
    )


def _key_numbers(report: Mapping[str, Any]) -> Html:
    low, high = report["accuracy_interval"]
    decimals = 2 if report["num_images"] >= 1000 else 1
    interval = f"95\u202f% interval {100 * low:.{decimals}f} to {percent(high, decimals)}"
    tiles = [
        '<div class="first"><dt>Accuracy</dt>'
        f"<dd>{percent(report['accuracy'], decimals)}{accuracy_interval(report)}"
        f"<small>{interval}</small></dd></div>",
        _tile("Macro F1", f"{report['macro_f1']:.3f}", "mean over the classes"),
    ]
    if len(report["classes"]) > 5:
        tiles.append(_tile("Top 5", percent(report["top5"], decimals), "truth in the first 5"))
    tiles += [
        _tile("Loss", f"{report['loss']:.3f}", "cross-entropy, nats"),
        _tile("Calibration error", percent(report["ece"]), "ECE, 15 bins"),
    ]
    skipped = report.get("num_skipped", 0)
    note = f"{skipped:,} unreadable, skipped" if skipped else "none skipped"
    tiles.append(_tile("Images", f"{report['num_images']:,}", note))
    return group("numbers", tiles, tag="dl")


def _tile(label: str, value: str, note: str) -> Html:
    return f"<div><dt>{label}</dt><dd>{value}<small>{note}</small></dd></div>"


def training(history: History) -> Section:
    """Show the curves of the run that made the model."""
    drawings = [figure(f"training {name}", made) for name, made in training_curves(history).items()]
    epochs, accuracy = curve(history, "validation_accuracy")
    lead = ""
    if len(accuracy):
        best = int(accuracy.argmax())
        lead = (
            f"Validation accuracy was highest, {percent(accuracy[best])}, "
            f"after {epochs[best]:.3g} epochs."
        )
    return section("training", "Training", lead, group("pair", drawings))


def classes(report: Mapping[str, Any]) -> Section:
    """Show precision, recall, F1 and support of every class."""
    rows = (
        (
            name_cell(row["name"]),
            *(bar_cell(row[measure]) for measure in ("precision", "recall", "f1")),
            number_cell(row["support"], f"{row['support']:,}"),
        )
        for row in report["classes"]
    )
    return section(
        "classes",
        "Classes",
        "Precision: of the images given this name, the share that deserved it. Recall: of the "
        "images that deserve it, the share that got it. F1 is their harmonic mean.",
        table(("Class", "Precision", "Recall", "F1", "Images"), rows, "Measures of each class"),
    )


def confusion(report: Mapping[str, Any]) -> Section:
    """Show what is taken for what, as a matrix and as a list of the most frequent mistakes."""
    names = [row["name"] for row in report["classes"]]
    drawing = figure(
        "confusion matrix",
        confusion_matrix(np.array(report["confusion"]), names),
        "Each row is a true class: blue what was named right, orange what it was taken for. A "
        "shade's strength is the square root of its share of the row.",
    )
    pairs = confused_pairs(report)
    rows = (
        (
            name_cell(f"{pair.truth} → {pair.predicted}"),
            number_cell(pair.images, f"{pair.images:,}"),
            number_cell(pair.share, percent(pair.share)),
        )
        for pair in pairs
    )
    listed = table(("True → predicted", "Images", "Of class"), rows, "Most frequent mistakes")
    side = f"<div><h3>Most frequent mistakes</h3>{listed}</div>" if pairs else ""
    return section(
        "confusion",
        "Confusion",
        "",
        group("pair wide" if len(names) > 8 else "pair", (drawing, side)),
    )


def calibration(report: Mapping[str, Any]) -> Section:
    """Show whether the model's confidence can be believed."""
    drawing = figure("calibration", reliability(report["calibration"]))
    text = (
        "<div><p>A bar shows how often predictions of that confidence were right. Where it ends "
        "below the dashed line the model claims too much, above it too little; the orange stroke "
        "is the difference. The lower bars count the images.</p></div>"
    )
    return section(
        "calibration",
        "Calibration",
        read_calibration(report),
        group("pair", (drawing, text)),
    )


def mistakes(found: Sequence[Mistake]) -> Section:
    """Show images that were named wrongly."""
    cards = (
        f"<figure>{picture(mistake.image, escape(mistake.name))}{_verdict(mistake)}</figure>"
        for mistake in found
    )
    return section(
        "mistakes",
        "Most confident mistakes",
        "The images on which the model was surest of a wrong name. Look for wrong labels too.",
        group("pictures", cards),
    )


def attention(views: Sequence[AttentionView], pooling: str = "token") -> Section:
    """Show images beside themselves, lit by the attention of what the head reads."""
    title = "Where the class token looks"
    reader = "the class token pays to each patch"
    if pooling in ("mean", "mean_all"):
        title = "Where the model looks"
        readers = "all patches" if pooling == "mean" else "the class token and all patches"
        reader = f"each patch is paid by {readers}, whose mean the head reads"
    cards = []
    for view in views:
        image = enlarge(view.image)
        name = escape(view.name)
        lit = picture(attention_overlay(image, view.attention), f"attention over {name}")
        cards.append(
            f'<figure><div class="both">{picture(image, name)}{lit}</div>{_verdict(view)}</figure>'
        )
    return section(
        "attention",
        title,
        "Each image as the model saw it, and the same image lit by the attention, in the last "
        f"block, that {reader}.",
        group("views", cards),
    )


def _verdict(shown: Mistake | AttentionView) -> Html:
    truth, predicted = escape(shown.truth), escape(shown.predicted)
    confidence = percent(shown.confidence, 0 if shown.confidence < 0.99 else 1)
    if shown.truth == shown.predicted:
        line = f'<b class="hit">{predicted}</b> {confidence}'
    else:
        line = f'<b class="miss">{predicted}</b> {confidence}<br>true class {truth}'
    name = escape(shown.name)
    return f'<figcaption>{line}<small title="{name}">{name.rsplit("/", 1)[-1]}</small></figcaption>'


def provenance(report: Mapping[str, Any]) -> Section:
    """State what was measured, with what, and what was left out."""
    rows = {
        label: str(report[key])
        for label, key in (("Model", "model"), ("Data", "data"), ("Part", "part"))
        if report.get(key)
    }
    rows["Images"] = f"{report['num_images']:,} of {len(report['classes']):,} classes"
    if "parameters" in report:
        rows["Parameters"] = f"{report['parameters']:,}"
    if "image_size" in report:
        rows["Image size"] = size(report["image_size"])
    if "without" in report:
        rest = report["without"]
        rows["Without the list"] = (
            f"accuracy {percent(rest['accuracy'])} of the {rest['num_images']:,} images that are "
            f"not in {rest['list']}"
        )
    if "seconds" in report:
        rows["Time"] = duration(report["seconds"])
    rows |= report.get("facts", {})
    names = report.get("skipped", ())
    if report.get("num_skipped"):
        listed = list(names[:_MOST_SKIPPED])
        rest = report["num_skipped"] - len(listed)
        rows["Skipped"] = "\n".join(listed + ([f"and {rest:,} more"] if rest else []))
    return section("facts", "Facts", "", facts(rows))
