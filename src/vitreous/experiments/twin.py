"""The published row that a measured checkpoint stands beside."""

from collections.abc import Container, Mapping
from statistics import fmean

from vitreous.errors import UserError
from vitreous.experiments.published_transfer import model_of
from vitreous.experiments.results import Place, Results
from vitreous.model.config import ModelConfig
from vitreous.model.variants import variant_config

_SIZES = ("width", "depth", "heads", "mlp_width", "patch", "stem", "units", "width_factor")


def architecture(config: ModelConfig) -> str:
    """The name of a model's variant, where its sizes are the variant's.

    Args:
        config: Of a checkpoint. A run may have changed single sizes of a named variant.

    Returns:
        Such as `ViT-B/16`; for other sizes under such a name `ViT-B/16 of other sizes`, which no
        published row has.
    """
    try:
        named = variant_config(config.name)
    except UserError:
        return config.name
    same = all(getattr(config, one, None) == getattr(named, one, None) for one in _SIZES)
    return config.name if same else f"{config.name} of other sizes"


def rows_of(
    published: Mapping[Place, float], model: str, columns: Container[str]
) -> dict[str, dict[str, float]]:
    """The published values of an architecture in some columns, by row and column."""
    found: dict[str, dict[str, float]] = {}
    for (row, column), value in published.items():
        if column in columns and model_of(row) == model:
            found.setdefault(row, {})[column] = value
    return found


def nearest_row(
    published: Mapping[Place, float], model: str, measured: Mapping[str, float]
) -> str | None:
    """The row of an architecture whose values lie nearest, in the mean over what was measured.

    Args:
        published: Shares by row and column.
        model: The architecture, as `architecture` names it.
        measured: Shares by column.

    Returns:
        None where the table has no row of that architecture in these columns.
    """
    gaps = {
        row: fmean(abs(value - measured[column]) for column, value in values.items())
        for row, values in rows_of(published, model, measured).items()
    }
    return min(gaps, key=gaps.__getitem__, default=None)


def twins(published: Mapping[Place, float], results: Results) -> dict[str, str]:
    """The nearest published row of each measured one, where there is a row of its architecture."""
    found = {}
    for row in results.rows:
        cells = results.row(row)
        model = next((one.get("architecture", "") for c in cells.values() for one in c.facts), "")
        measured = {column: cell.mean for column, cell in cells.items()}
        if (nearest := nearest_row(published, model, measured)) is not None:
            found[row] = nearest
    return found
