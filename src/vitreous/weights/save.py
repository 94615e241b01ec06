"""Writing a model with its passport."""

from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from vitreous.durable import write_durably
from vitreous.model.classifier import Classifier
from vitreous.weights.foreign import with_digest
from vitreous.weights.passport import Passport, canary_answer, passport_of


def save(model: Classifier, path: str | Path, passport: Passport | None = None) -> None:
    """Write weights and passport into one safetensors file, complete or not at all.

    Args:
        model: Any model of this package.
        path: Where to.
        passport: Its own where not given. Architecture and canary are taken from the model.

    Raises:
        UserError: The file cannot be written.
    """
    passport = with_digest(passport or passport_of(model))
    logits, features = (
        tuple(part.tolist()) for part in canary_answer(model, passport.preprocessing)
    )
    passport = replace(passport, architecture=model.config, canary=logits, canary_features=features)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    # One entry only: safetensors writes several in no fixed order, and files would differ.
    header = {"vitreous": passport.to_json()}
    write_durably(Path(path), lambda aside: save_file(tensors, aside, metadata=header))
