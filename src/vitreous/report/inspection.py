"""The page of a data set: what it holds, what is broken, what is twice, what looks mislabelled."""

import os
from collections.abc import Sequence
from html import escape

from vitreous.data.duplicates import Duplicate
from vitreous.data.examine import ODD, UNREADABLE
from vitreous.data.gallery import Gallery
from vitreous.data.inspect import Inspection
from vitreous.errors import BadImageError
from vitreous.evaluate.suspects import Suspect
from vitreous.report.document import (
    Html,
    Section,
    contents,
    facts,
    figure,
    group,
    name_cell,
    number_cell,
    section,
    table,
    write_document,
)
from vitreous.report.holdings import class_balance, image_sizes
from vitreous.report.pictures import picture
from vitreous.report.reading import percent

_MOST_PAIRS, _MOST_SUSPECTS, _MOST_NAMES = 48, 36, 200


def write_inspection(
    path: str | os.PathLike[str], found: Inspection, suspects: Sequence[Suspect] | None = None
) -> None:
    """Write the page of a data set: one file that needs no network.

    Args:
        path: Where; a page that is there is replaced once the new one is complete.
        found: What was found.
        suspects: Doubtful labels, the worst first, by the gallery's positions; None where no model
            was asked.

    Raises:
        UserError: The file cannot be written. No part of it is left behind.
    """
    parts = [
        _classes(found),
        _sizes(found),
        _duplicates(found),
        _suspects(found.gallery, suspects or ()),
        _unreadable(found),
        _files(found),
    ]
    title = _title(found.gallery)
    body = [_header(found, suspects), contents(parts), *(part.text for part in parts)]
    write_document(path, f"{title} · data check · vitreous", body)


def _header(found: Inspection, suspects: Sequence[Suspect] | None) -> Html:
    dataset = found.gallery.dataset
    total = len(found.gallery.labels)
    about = [f"{int(own.sum()):,} {part}" for part, own in found.counts.items()]
    reading = "Nothing here needs mending before training."
    if found.problems:
        reading = "Mend before training:"
    listed = "".join(f"<li>{escape(problem)}</li>" for problem in found.problems)
    remarks = f"Worth knowing: {'; '.join(found.remarks)}." if found.remarks else ""
    across = sum(map(found.crosses_parts, found.duplicates))
    tiles = [
        f'<div class="first"><dt>Images</dt><dd>{total:,}'
        f"<small>of {dataset.num_classes:,} classes</small></dd></div>",
        _tile("Unreadable", len(found.unreadable), percent(len(found.unreadable) / total)),
        _tile("Duplicate pairs", len(found.duplicates), "the same picture twice"),
    ]
    if len(found.counts) > 1:
        tiles.append(_tile("Across parts", across, "leaks from training to test"))
    wrong = sum(map(found.crosses_classes, found.duplicates))
    tiles.append(_tile("Across classes", wrong, "one picture, two labels"))
    if suspects is not None:
        tiles.append(_tile("Suspect labels", len(suspects), "outvoted by their neighbours"))
    return (
        '<header>\n<p class="kind">Data check</p>\n'
        f"<h1>{escape(_title(found.gallery))}</h1>\n"
        f'<p class="about">{escape(" · ".join([dataset.address, *about]))}</p>\n'
        f'<p class="reading">{reading}</p>\n'
        f"{f'<ul>{listed}</ul>' if listed else ''}\n"
        f'<p class="about">{escape(remarks)}</p>\n'
        f"{group('numbers', tiles, tag='dl')}\n</header>"
    )


def _title(gallery: Gallery) -> str:
    address = gallery.dataset.address
    return os.path.basename(address.rstrip("/")) or address


def _tile(label: str, value: int, note: str) -> Html:
    return f"<div><dt>{label}</dt><dd>{value:,}<small>{note}</small></dd></div>"


def _classes(found: Inspection) -> Section:
    names = found.gallery.dataset.class_names
    drawing = figure("images a class", class_balance(found.counts, names))
    unseen = {name for name, _, _ in found.unseen}
    rows = (
        (
            name_cell(f"{name} (not in train)" if name in unseen else name),
            *(number_cell(int(own[label]), f"{own[label]:,}") for own in found.counts.values()),
        )
        for label, name in enumerate(names)
    )
    listed = table(("Class", *map(str.capitalize, found.counts)), rows, "Images of each class")
    return section("classes", "Classes", "", group("pair", (drawing, listed)))


def _sizes(found: Inspection) -> Section:
    kinds = {(int(high), int(wide)) for high, wide in found.read_sizes}
    if len(kinds) < 2:
        words = "".join(f"All images are {wide} × {high} pixels." for high, wide in kinds)
        return section("sizes", "Sizes", "", f"<p>{words}</p>" if words else "")
    numbers = found.to_dict()
    rows = (
        (
            name_cell(label),
            *(number_cell(value, f"{value:,.4g}") for value in numbers[key].values()),
        )
        for key, label in (
            ("shorter_side", "Shorter side, pixels"),
            ("aspect_ratio", "Width / height"),
        )
    )
    listed = table(("", *map(str.capitalize, numbers["shorter_side"])), rows, "Sizes of images")
    drawing = figure(
        "sizes",
        image_sizes(found.read_sizes),
        "A dot is a size, the larger the more images have it; on the dotted line images are "
        "square.",
    )
    return section("sizes", "Sizes", "", group("pair", (drawing, listed)))


def _duplicates(found: Inspection) -> Section:
    def rank(pair: Duplicate) -> tuple[bool, bool, float]:
        return (
            not found.crosses_parts(pair),
            not found.crosses_classes(pair),
            -pair.similarity,
        )

    pairs = sorted(found.duplicates, key=rank)
    cards = [_pair(found, pair) for pair in pairs[:_MOST_PAIRS]]
    lead = (
        "Pairs that show the same picture: first those in two parts, then those with two labels. "
        "Similarity is the correlation of their detail once one is laid over the other."
    )
    if len(pairs) > _MOST_PAIRS:
        lead += f" The first {_MOST_PAIRS} of {len(pairs):,} are shown."
    return section("duplicates", "Duplicates", lead, group("views", cards))


def _pair(found: Inspection, pair: Duplicate) -> Html:
    words = found.pair_dict(pair)
    marks = []
    if found.crosses_parts(pair):
        marks.append(f'<b class="miss">{words["part"]} and {words["like_part"]}</b>')
    if found.crosses_classes(pair):
        first, second = escape(words["class"]), escape(words["like_class"])
        marks.append(f'<b class="miss">{first} and {second}</b>')
    marks = marks or [f"<b>{escape(words['class'])}</b>"]
    how = pair.how if pair.exact else f"{pair.how}, {pair.similarity:.3f}"
    names = "".join(_name(words[key]) for key in ("name", "like"))
    return _both(
        found.gallery,
        (pair.first, pair.second),
        f"{' · '.join(marks)} {how}{names}",
    )


def _suspects(gallery: Gallery, suspects: Sequence[Suspect]) -> Section:
    cards = []
    for doubt in suspects[:_MOST_SUSPECTS]:
        given, suggested = map(escape, doubt.words(gallery.dataset.class_names))
        caption = (
            f'<b class="miss">{given}</b>, or rather <b>{suggested}</b>? '
            f"{percent(doubt.strength, 0)}"
            f"{_name(gallery.names[doubt.index])}{_name(gallery.names[doubt.neighbour])}"
        )
        cards.append(_both(gallery, (doubt.index, doubt.neighbour), caption))
    lead = (
        "Images whose nearest neighbours, in the model's features, have another label; beside each "
        "the nearest one that has. The share is by how much the neighbours outvote the label. Look "
        "before you change anything: the model may be wrong."
    )
    if len(suspects) > _MOST_SUSPECTS:
        lead += f" The first {_MOST_SUSPECTS} of {len(suspects):,} are shown."
    return section("suspects", "Suspect labels", lead, group("views", cards))


def _unreadable(found: Inspection) -> Section:
    rows = [
        (
            name_cell(found.gallery.names[index]),
            *(
                f'<td style="text-align: left; white-space: normal">{escape(text)}</td>'
                for text in (found.gallery.place(index)[0], kind, reason)
            ),
        )
        for index, (kind, reason) in list(found.unreadable.items())[:_MOST_NAMES]
    ]
    lead = "Training skips, names and counts them; over one in a hundred it stops."
    listed = table(("File", "Part", "Kind", "What the decoder says"), rows, "Unreadable files")
    return section("unreadable", "Unreadable files", lead, listed if rows else "")


def _files(found: Inspection) -> Section:
    rows = {}
    if found.formats:
        rows["Formats"] = ", ".join(f"{n:,} {kind}" for kind, n in found.formats.most_common())
    for kind, where in found.odd.items():
        some = ", ".join(found.gallery.names[index] for index in where[:3])
        more = ", ..." if len(where) > 3 else ""
        rows[kind.capitalize()] = f"{len(where):,}, {ODD[kind]}\n{some}{more}"
    kinds = sorted({kind for kind, _ in found.unreadable.values()})
    rows |= {f"Unreadable: {kind}": UNREADABLE[kind] for kind in kinds}
    if found.empty:
        rows["Without images"] = ", ".join(f"{folder}/" for folder in found.empty)
    rows |= {subject.capitalize(): words for subject, words in found.notes.items()}
    return section("files", "Files", "", facts(rows))


def _both(gallery: Gallery, indices: tuple[int, int], caption: Html) -> Html:
    try:
        shown = [picture(gallery.read(i), escape(gallery.names[i])) for i in indices]
    except BadImageError:  # it was readable a moment ago
        shown = []
    return (
        f'<figure><div class="both">{"".join(shown)}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _name(name: str) -> Html:
    shown = "/".join(name.split("/")[-2:])
    return f'<small title="{escape(name)}">{escape(shown)}</small>'
