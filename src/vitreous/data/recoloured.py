"""Image files read in a model's channels: grey photographs by a colour model, and the reverse."""

from dataclasses import replace

from vitreous.data.loader import check_channels
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import Dataset, Part
from vitreous.data.sources.encoded import EncodedPart
from vitreous.data.split import Subset


def in_channels_of(rule: Preprocessing, dataset: Dataset) -> Dataset:
    """The data set with images of 1 or 3 channels, as the rule says; by `data.decode`'s own rules.

    Raises:
        UserError: The data has other channels and is no image files, or the rule says others.
    """
    if dataset.channels == rule.channels:
        return dataset
    parts = {name: _decoded_to(rule.channels, part) for name, part in dataset.parts.items()}
    found = {name: part for name, part in parts.items() if part is not None}
    if rule.channels not in (1, 3) or len(found) < len(parts):
        check_channels(dataset.channels, rule)
    return replace(dataset, parts=found, channels=rule.channels)


def _decoded_to(channels: int, part: Part) -> Part | None:
    if isinstance(part, EncodedPart):
        return replace(part, channels=channels)
    if not isinstance(part, Subset):
        return None
    below = [_decoded_to(channels, own) for own in part.parts]
    found = [own for own in below if own is not None]
    return Subset(found, part.positions, part.part_of) if len(found) == len(below) else None
