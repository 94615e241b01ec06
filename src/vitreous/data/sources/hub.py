"""Data sets of the Hugging Face hub, by `hf:NAME`: their Parquet files, fetched once."""

from pathlib import Path

from vitreous.data.sample import Dataset
from vitreous.data.sources.parquet import is_parquet_folder, open_parquet
from vitreous.errors import UserError

PREFIX = "hf:"

# Where the hub keeps its own conversion of sets that come in other forms.
_CONVERTED = "refs/convert/parquet"


def open_hub(address: str) -> Dataset:
    """Fetch a data set into huggingface_hub's cache, and open it (see `open_parquet`).

    Args:
        address: `hf:OWNER/NAME`.

    Raises:
        UserError: huggingface_hub is missing, or the set cannot be fetched and is not in the cache.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as fault:
        raise UserError(
            f"{address}: fetching it needs two libraries: pip install 'vitreous[hub,parquet]'"
        ) from fault
    name = address.removeprefix(PREFIX)
    for revision in (None, _CONVERTED):
        try:
            folder = Path(
                snapshot_download(
                    name, repo_type="dataset", revision=revision, allow_patterns="*.parquet"
                )
            )
        except Exception as fault:  # of the network, the hub or the name: many kinds, one meaning
            reason = " ".join(str(fault).split())[:80]
            raise UserError(
                f"{address}: cannot be fetched ({reason}): check the name and the network, or give "
                "a folder of its Parquet files"
            ) from fault
        if is_parquet_folder(folder):
            return open_parquet(folder, address)
    raise UserError(f"{address}: has no Parquet files where they usually are: fetch it another way")
