"""The part of a data set that a verb looks at."""

from vitreous.data.open import open_dataset
from vitreous.data.sample import PART_NAMES, Dataset
from vitreous.data.split import apply_split
from vitreous.errors import UserError
from vitreous.train.run_folder import RunFolder


def open_part(address: str | None, run: RunFolder, part: str | None) -> tuple[Dataset, str]:
    """Open a data set, by a run's own split where it is the run's own data.

    Args:
        address: What was typed; the data that the run was trained on where not given.
        run: Of the model; it need not exist.
        part: What was typed; what the model has seen least of where not given.

    Raises:
        UserError: No data, or no such part.
    """
    trained_on = run.read_config().data if run.config.is_file() else None
    address = address or trained_on
    if address is None:
        raise UserError("which data? give DATA after MODEL")
    dataset = open_dataset(address)
    if address == trained_on:
        dataset = apply_split(dataset, run.read_split()[1])
    # What a model has not seen comes first; data without parts is one part, called train.
    part = part or next(name for name in reversed(PART_NAMES) if name in dataset.parts)
    if part not in dataset.parts:
        raise UserError(f"{address} has no part {part!r}: it has {', '.join(dataset.parts)}")
    return dataset, part
