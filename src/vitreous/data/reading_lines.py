"""A data set's reading in three lines: classes and labels, parts and groups, what is left out."""

from collections import Counter

from vitreous.data.groups import count_groups, groups_across_parts
from vitreous.data.sample import PART_NAMES, Dataset

_SHOWN = 6


def reading_lines(dataset: Dataset) -> tuple[str, str, str]:
    """Return the reading in three lines for people."""
    return (
        f"classes: {_classes(dataset)}",
        f"parts:   {_parts(dataset)}",
        f"ignored: {_ignored(dataset)}",
    )


def _classes(dataset: Dataset) -> str:
    reading = dataset.reading
    if reading.doubt:
        return "none, images without labels"
    names = dataset.class_names
    quoted = [repr(name) if name != name.strip() else name for name in names[:_SHOWN]]
    listed = ", ".join(quoted) + (", ..." if len(names) > _SHOWN else "")
    source = f", by {reading.classes}" if reading.classes else ""
    how = "any number of labels an image" if dataset.multi_label else "one label an image"
    return f"{len(names):,} ({listed}){source}; {how}"


def _parts(dataset: Dataset) -> str:
    reading = dataset.reading
    counts = ", ".join(
        f"{name} {len(dataset.parts[name].labels):,}"
        for name in PART_NAMES
        if name in dataset.parts
    )
    words = [f"{counts} images"]
    if reading.parts:
        words.append(f"by {reading.parts}" if " is " not in reading.parts else reading.parts)
    if "validation" in dataset.notes:
        words.append(f"validation is {dataset.notes['validation']}")
    if dataset.groups:
        count, largest = count_groups(dataset.groups)
        across = len(groups_across_parts(dataset))
        torn = f", {across:,} of them in several parts" if across else ""
        words.append(f"{count:,} groups of up to {largest:,} by {reading.groups}{torn}")
    else:
        words.append("no groups")
    if reading.root:
        words.append(f"images {reading.root}")
    if reading.values:
        words.append(f"pixel values {reading.values}")
    return "; ".join(words)


def _ignored(dataset: Dataset) -> str:
    notes = [f"{subject}: {words}" for subject, words in dataset.notes.items()
             if subject != "validation"]  # fmt: skip
    return "; ".join(notes) or "nothing"


def reading_record(dataset: Dataset) -> dict[str, object]:
    """Return the same for machines: the words of the reading, counts and what is left out."""
    kinds = Counter({part: len(images.labels) for part, images in dataset.parts.items()})
    notes = {name: words for name, words in dataset.notes.items() if name != "validation"}
    return {
        **dataset.reading.to_dict(),
        "images": dict(kinds),
        "several_labels": dataset.multi_label,
        "ignored": notes,
        "lines": list(reading_lines(dataset)),
    }
