"""A model of ours written in another family's format, and the proof that it is the same."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from vitreous.data.batch import normalise
from vitreous.durable import write_durably, write_text
from vitreous.errors import UserError
from vitreous.files import read_file
from vitreous.model.classifier import Classifier
from vitreous.weights.family import Family, Hints
from vitreous.weights.foreign import load_foreign
from vitreous.weights.load import load
from vitreous.weights.npz import write_npz
from vitreous.weights.passport import Passport, canary_image, passport_of
from vitreous.weights.read import open_checkpoint
from vitreous.weights.recognise import family_to_write
from vitreous.weights.rule import to_theirs
from vitreous.weights.save import save

OURS = "vitreous"
_TOLERANCE = 2e-5  # of a logit, in float32 on the CPU


@dataclass(frozen=True)
class Proof:
    """What was found on reading back what was written.

    Attributes:
        file: The weights.
        family: Their format.
        layout: Which of the family's, where it has several.
        tensors: How many, each bit-equal.
        images: How many were put through both models.
        difference: The largest between their logits.
        lost: What the format has no place for, in words.
        assumptions: What had to be taken for granted of the model that was written.
    """

    file: Path
    family: str
    layout: str
    tensors: int
    images: int
    difference: float
    lost: tuple[str, ...]
    assumptions: tuple[str, ...] = ()


def convert(model: Classifier, out: str | Path, to: str) -> Proof:
    """Write a model as a checkpoint of a family; nothing is left there where the proof fails.

    Args:
        model: In inference mode; its passport is taken along as far as the format can say it.
        out: A file, which gets `NAME.config.json` beside it, or a folder, which gets
            `config.json`.
        to: `vitreous`, `google`, `big_vision`, `big_transfer`, `facebook`, `timm`, `huggingface`,
            `torchvision`, `openai` or `lucidrains`.

    Raises:
        UserError: The format cannot say this architecture, the logits would differ, or a file to
            be written exists or cannot be written.
    """
    passport = replace(passport_of(model), architecture=model.config)
    family = None if to == OURS else family_to_write(to, model.config, passport.origin)
    file, folder = _place(Path(out), family)
    if family is None:
        save(model, file)
        return _prove(model, load(file), file, OURS, "")
    tensors = dict(model.state_dict())
    config = family.config_json(passport)
    preprocessor = family.preprocessor_json(passport) if folder else {}
    beside = {
        file.with_name("config.json") if folder else file.with_suffix(".config.json"): config,
        file.with_name("preprocessor_config.json"): preprocessor,
    }
    texts = {
        path: json.dumps(values, indent=1, ensure_ascii=False) + "\n"
        for path, values in beside.items()
        if values
    }
    # Another tool's, or a run's own, as likely as not; but for what a cut of this very call left.
    _require_absent(*(path for path, text in texts.items() if not _holds(path, text)))
    found: list[Proof] = []

    def write(aside: Path) -> None:
        named = to_theirs(family.rules(model.config), tensors)
        if family.suffix == ".npz":
            write_npz(aside, named)
        else:
            save_file(dict(named), aside, metadata={"format": "pt"})
        written = replace(open_checkpoint(aside), config=config, preprocessor=preprocessor)
        again = load_foreign(written, Hints(image_size=model.config.image_size))
        found.append(_prove(model, again, file, family.name, family.layout))
        for path, text in texts.items():  # first: weights without their config are misread
            write_text(path, text)

    write_durably(file, write)
    return found[0]


def _holds(path: Path, text: str) -> bool:
    """True for a file of just this text."""
    try:
        return read_file(path, 2 * len(text.encode())) == text.encode()
    except OSError:
        return False


def _place(out: Path, family: Family | None) -> tuple[Path, bool]:
    """The file to write, and whether it stands in a folder of its own."""
    suffix = family.suffix if family else ".safetensors"
    folder = out.is_dir() or not out.suffix
    if not folder and out.suffix != suffix:
        raise UserError(f"{out} would be a {suffix} file: name it so, or give a folder")
    file = out / f"model{suffix}" if folder else out
    _require_absent(file)
    return file, folder


def _require_absent(*files: Path) -> None:
    for file in files:
        if file.exists():
            raise UserError(f"{file} exists already: choose another place")


def _prove(model: Classifier, again: Classifier, file: Path, family: str, layout: str) -> Proof:
    ours, theirs = model.state_dict(), again.state_dict()
    for name, tensor in ours.items():
        if name not in theirs or not torch.equal(tensor, theirs[name]):
            raise UserError(f"{file}: {name} did not come back from the {family} format")
    images = _proof_images(passport_of(model))
    with torch.inference_mode():
        difference = float((model.eval()(images) - again.eval()(images)).abs().max())
    if not difference <= _TOLERANCE:
        changed = [
            f"{name} {getattr(model.config, name)!r}"
            for name in ("norm_eps", "activation", "kernel_eps")
            if getattr(model.config, name, None) != getattr(again.config, name, None)
        ]
        raise UserError(
            f"the {family} format cannot say {' and '.join(changed) or 'this model'}: its logits "
            f"would differ by {difference:.1e}, so nothing was written"
        )
    lost = _lost(passport_of(model), passport_of(again))
    assumptions = passport_of(model).assumptions
    return Proof(file, family, layout, len(ours), len(images), difference, lost, assumptions)


def _proof_images(passport: Passport) -> Float[Tensor, "3 C H W"]:
    """The canary and two images of noise."""
    canary = normalise(canary_image(passport.preprocessing), passport.preprocessing)
    noise = torch.randn(2, *canary.shape[1:], generator=torch.Generator().manual_seed(0))
    return torch.cat([canary, noise])


def _lost(before: Passport, after: Passport) -> tuple[str, ...]:
    words = {
        "class_names": "class names",
        "preprocessing": "preprocessing",
        "multi_label": "several labels of an image (a sigmoid for each)",
    }
    return tuple(w for name, w in words.items() if getattr(before, name) != getattr(after, name))
