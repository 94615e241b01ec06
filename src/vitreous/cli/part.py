"""The part of a data set that a verb looks at."""

from dataclasses import replace
from pathlib import Path

from vitreous.data.open import EMBEDDED, open_dataset
from vitreous.data.reading import ReadingOptions
from vitreous.data.sample import PART_NAMES, Dataset
from vitreous.data.split import apply_split
from vitreous.errors import UserError
from vitreous.train.config import TrainConfig
from vitreous.train.run_folder import RunFolder


def open_part(
    address: str | None, run: RunFolder, part: str | None, options: ReadingOptions | None = None
) -> tuple[Dataset, str]:
    """Open a data set, by a run's own split where it is the run's own data.

    Args:
        address: What was typed; the data that the run was trained on where not given. However it
            is spelled (`photos`, `./photos/`, an absolute path), the run's own data is known.
        run: Of the model; it need not exist, and may be a model's folder that is no run.
        part: What was typed; what the model has seen least of where not given.
        options: How the data is to be read; the run's own data is read as the run did where none
            is given.

    Raises:
        UserError: No data, or no such part.
    """
    begun = run.read_config() if run.is_begun else None
    trained_on = begun.data if begun else None
    address = address or trained_on
    if address is None:
        raise UserError("which data? give DATA after MODEL")
    dataset = open_dataset(address, _as_the_run(options, begun, address))
    if trained_on is not None and _same_data(address, trained_on):
        dataset = apply_split(dataset, run.read_split()[1])
    # What a model has not seen comes first; data without parts is one part, called train.
    part = part or next(name for name in reversed(PART_NAMES) if name in dataset.parts)
    if part not in dataset.parts:
        raise UserError(f"{address} has no part {part!r}: it has {', '.join(dataset.parts)}")
    return dataset, part


def _as_the_run(
    options: ReadingOptions | None, begun: TrainConfig | None, address: str
) -> ReadingOptions:
    """The options that were typed; or the run's own, and for other data its labels an image."""
    options = options or ReadingOptions()
    if begun is None:
        return options
    if not options.given and _same_data(address, begun.data):
        return begun.reading
    if options.labels_per_image == "auto":
        return replace(options, labels_per_image=begun.reading.labels_per_image)
    return options


def _same_data(a: str, b: str) -> bool:
    """Whether two addresses are one data set: paths are compared by where they lead."""
    if a == b or a in EMBEDDED or b in EMBEDDED:
        return a == b
    return Path(a).resolve() == Path(b).resolve()
