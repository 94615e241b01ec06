"""Models to and from the Hugging Face hub."""

import tempfile
from pathlib import Path
from typing import Any

from vitreous.durable import write_text
from vitreous.errors import UserError
from vitreous.model.classifier import Classifier
from vitreous.weights.card import model_card
from vitreous.weights.fetch import PREFIX, import_hub, reason
from vitreous.weights.load import load
from vitreous.weights.passport import passport_of
from vitreous.weights.save import save


def from_pretrained(name: str | Path, **changes: Any) -> Classifier:
    """A model by its name on the hub, or of a folder or file.

    >>> from_pretrained("google/vit-base-patch16-224", num_classes=5)

    Args:
        name: `owner/name`, `owner/name@revision`, or a path that exists.
        **changes: As `load` takes them.

    Raises:
        UserError: See `load`.
    """
    here = str(name).startswith(PREFIX) or Path(name).exists()
    return load(name if here else f"{PREFIX}{name}", **changes)


def push_to_hub(
    model: Classifier,
    repository: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    message: str = "Weights and passport",
) -> str:
    """Put a model on the hub: one safetensors file with its passport, and a card made from that.

    >>> push_to_hub(model, "me/flowers")

    Args:
        model: With its passport.
        repository: `owner/name`; made where it is not there.
        private: Of a new one; the owner's default where not given.
        token: Of the hub; the one that `hf auth login` left where not given.
        message: Of the commit.

    Returns:
        The address of the page.

    Raises:
        UserError: huggingface_hub is not installed, no network, or no right to write there.
    """
    hub = import_hub()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    with tempfile.TemporaryDirectory() as folder:
        save(model, Path(folder) / "model.safetensors")
        write_text(Path(folder) / "README.md", model_card(passport_of(model), parameters))
        api = hub.HfApi(token=token)
        try:
            made = api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
        except Exception as error:  # of several libraries' kinds, httpx's among them
            raise UserError(f"cannot push to {repository}: {reason(error)}") from error
    return str(made)
