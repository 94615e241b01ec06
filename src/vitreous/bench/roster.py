"""Who can take part, and the file that knows each; imported when asked for."""

from importlib import import_module, metadata

from vitreous.bench.subject import LeftOutError, Subject
from vitreous.model.classifier import Classifier

OURS = "vitreous"
PEERS: dict[str, str] = {
    "timm": "vitreous.bench.timm",
    "transformers": "vitreous.bench.huggingface",
    "torchvision": "vitreous.bench.torchvision",
    "vit-pytorch": "vitreous.bench.lucidrains",
}
"""Other people's packages, and the file here that knows each."""


def version_of(name: str) -> str | None:
    """Of a subject's package as it is installed now; None where it is not."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def build_subject(name: str, model: Classifier) -> Subject:
    """A subject with the model's weights.

    Args:
        name: `vitreous` or one of `PEERS`.
        model: Of the case; kept as it is.

    Raises:
        LeftOutError: It is not installed, or cannot say this architecture.
    """
    module = PEERS[name] if name != OURS else "vitreous.bench.ours"
    try:
        subject: Subject = import_module(module).build(model)
    except ImportError as error:
        if (error.name or "").startswith("vitreous"):
            raise
        raise LeftOutError(f"not installed: pip install {name}") from error
    return subject
