"""Models of the Hugging Face hub as local folders."""

import re
from pathlib import Path
from typing import Any

from vitreous.errors import UserError

PREFIX = "hf:"
_ADDRESS = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
# The weights in one safe file, and what Hugging Face's own models keep beside it.
_FILES = ("model.safetensors", "config.json", "preprocessor_config.json")


def fetch(address: str) -> Path:
    """The folder of a hub's model, from the cache or over the network.

    Args:
        address: `hf:owner/name`, or `hf:owner/name@revision` for a branch, a tag or a commit.

    Raises:
        UserError: huggingface_hub is not installed, no such model or file, or no network.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise UserError(f"{address} is no model of the hub: write hf:owner/name")
    hub = import_hub()
    try:
        folder = hub.snapshot_download(
            match["repository"], revision=match["revision"], allow_patterns=list(_FILES)
        )
    except Exception as error:  # of several libraries' kinds, httpx's among them
        raise UserError(f"cannot fetch {address}: {reason(error)}") from error
    if not (Path(folder) / _FILES[0]).is_file():
        raise UserError(f"{address} holds no {_FILES[0]}: other files of the hub are not read")
    return Path(folder)


def import_hub() -> Any:
    """The library, which is an extra.

    Raises:
        UserError: It is not installed; says how to.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise UserError(
            "the Hugging Face hub needs huggingface_hub: "
            "pip install -c constraints.txt 'vitreous[hub]'"
        ) from error
    return huggingface_hub


def reason(error: Exception) -> str:
    """What went wrong on the way to the hub, in a few words."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "RepositoryNotFoundError" in kinds:
        return "no such model, or a private one: check the name, or log in with hf auth login"
    if "RevisionNotFoundError" in kinds:
        return "it has no such revision: check what stands behind the @"
    if kinds & {"LocalEntryNotFoundError", "ConnectionError", "TransportError", "TimeoutError"}:
        return "no network, and it is not in the cache: fetch it where there is one, give the file"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
