"""The checkpoint that the ViT of `five_flowers` starts from, and why others are refused."""

from pathlib import Path

from vitreous.errors import UserError
from vitreous.experiments.checkpoints import checkpoints, refused
from vitreous.experiments.experiment import Setting
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.variants import variant_config
from vitreous.weights.catalogue import CATALOGUE
from vitreous.weights.load import read_passport
from vitreous.weights.passport import Passport

CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""Of the data set, in the order of its folders."""

_FILE = "imagenet21k/ViT-B_16"
# ImageNet-21k has 21,843 classes; the smallest of its published selections has 10,450.
_FEWEST_OF_21K = 10_000
_SIZES = ("width", "depth", "mlp_width", "heads", "patch", "channels")


def flower_weights(setting: Setting) -> tuple[Path, Passport] | None:
    """The checkpoint of `--weights` and its passport; None where the ViT is pretrained here.

    Raises:
        UserError: Weights are needed and there are none, there are several, or they are not those
            of a Vision Transformer that was pretrained on something else; `lab` wants the
            published ViT-B/16 of ImageNet-21k.
    """
    if setting.weights is None:
        if setting.scale == "lab":
            raise UserError(
                "five_flowers --scale lab starts from ViT-B/16 pretrained on ImageNet-21k: give "
                f"--weights FILE, such as {_FILE}.npz ({_address()}; vitreous models ViT-B/16 "
                "lists others)"
            )
        return None
    found = checkpoints(setting.weights)
    if len(found) > 1:
        raise UserError(
            f"--weights {setting.weights} holds {len(found)} checkpoints ({', '.join(found)}), and "
            "five_flowers starts its ViT from one: give that file"
        )
    (file,) = found.values()
    try:
        passport = read_passport(file)
    except UserError as error:
        raise refused(file, error) from error
    _check_architecture(file, passport.architecture)
    _check_classes(file, passport)
    if setting.scale == "lab":
        _check_published(file, passport.architecture)
    return file, passport


def _check_architecture(file: Path, model: ModelConfig) -> None:
    if not isinstance(model, ViTConfig) or model.stem is not None:
        kind = "a hybrid with a ResNet before it" if model.attention_layers else "no ViT"
        raise UserError(
            f"--weights {file} is a {model.name}, {kind}, and five_flowers starts its ViT from "
            "them (its ResNet begins with random weights): give those of a Vision Transformer"
        )
    if model.channels != 3:
        raise UserError(
            f"--weights {file} takes images of other channels ({model.channels}) than photos (3): "
            "give those of a Vision Transformer for photos"
        )


def _check_classes(file: Path, passport: Passport) -> None:
    names = {name.lower() for name in passport.class_names}
    if names and names <= set(CLASSES):
        raise UserError(
            f"--weights {file} answers {', '.join(passport.class_names)} already, and may have "
            "learnt from the photos that are held out: give weights that were pretrained on "
            "something else"
        )


def _check_published(file: Path, model: ModelConfig) -> None:
    published = variant_config("ViT-B/16")
    sizes, wanted = ({n: getattr(m, n) for n in _SIZES} for m in (model, published))
    if sizes != wanted:
        other = next(name for name in _SIZES if sizes[name] != wanted[name])
        raise UserError(
            f"--weights {file} is a {model.name} ({other} {sizes[other]}), and the published table "
            f"is ViT-B/16's ({other} {wanted[other]}): give {_FILE}.npz, or train it by vitreous "
            "train DATA --weights FILE --recipe five-flowers"
        )
    if 0 < model.num_classes < _FEWEST_OF_21K:
        raise UserError(
            f"--weights {file} has a head of {model.num_classes:,} classes, and the published "
            f"ViT-B/16 was pretrained on the 21,843 of ImageNet-21k alone: give {_FILE}.npz, or "
            "train it by vitreous train DATA --weights FILE --recipe five-flowers"
        )


def _address() -> str:
    return next(one.address for one in CATALOGUE if one.name == _FILE)
