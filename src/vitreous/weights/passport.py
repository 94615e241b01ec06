"""The passport: what a weights file says of itself, and the canary that keeps it honest."""

import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vitreous.data.batch import normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.files import JsonError, parse_json
from vitreous.model.answering import answering
from vitreous.model.classifier import Classifier
from vitreous.model.config import ModelConfig
from vitreous.model.kind import config_from_dict

# Float32 logits of one model differ in the last digits from machine to machine.
_CANARY_TOLERANCE = 1e-3
_FEATURES_KEPT = 8
# Sides of what a model is shown, of those that it was made for.
_MOST_TIMES = 4

ClassOrder = Literal["named", "unknown", "number", "text"]
"""How the logits are called: see `Passport.class_order`."""


@dataclass(frozen=True, kw_only=True)
class Passport:
    """What travels with weights, as JSON in the safetensors header.

    Attributes:
        architecture: The model's config.
        preprocessing: From pixels to the model's input.
        class_names: In the order of the logits; empty for a model without a head.
        class_order: `named`: the names are the classes' own. Otherwise nobody gave names and they
            are the numbers of the logits: in the order of the classes' numbers (`number`: 0, 1, 2,
            ..., 10), in the order of their text as training libraries sort folders (`text`: 0, 1,
            10, 2), or in an order that nobody said (`unknown`).
        assumptions: What neither the tensors nor a config said and had to be taken for granted, and
            what was left out of the file, one line each. Empty for a model trained here.
        origin: Where the weights come from (file, family, SHA-256, or the training run).
        multi_label: Whether an image may have several classes: each logit is then a yes or no of
            its own, by a sigmoid.
        licence: Of the weights, where known.
        metrics: What was measured with these weights.
        canary: Logits of `canary_image`, float32.
        canary_features: The first of the features that the head reads of it, float32: a head of
            zeros gives zeros, whatever lies before it.
    """

    architecture: ModelConfig
    preprocessing: Preprocessing
    class_names: tuple[str, ...] = ()
    class_order: ClassOrder = "named"
    assumptions: tuple[str, ...] = ()
    origin: dict[str, Any] = field(default_factory=dict)
    multi_label: bool = False
    licence: str | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    canary: tuple[float, ...] = ()
    canary_features: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", tuple(self.class_names))
        object.__setattr__(self, "assumptions", tuple(map(str, self.assumptions)))
        if self.class_order not in get_args(ClassOrder):
            raise UserError(
                f"class_order is {self.class_order!r}: choose {', '.join(get_args(ClassOrder))}"
            )
        object.__setattr__(self, "origin", dict(self.origin))
        for name in ("canary", "canary_features"):
            numbers = tuple(map(float, getattr(self, name)))
            if not all(map(math.isfinite, numbers)):
                raise UserError(f"the passport's {name} holds numbers that are not finite")
            object.__setattr__(self, name, numbers)
        if not all(isinstance(name, str) for name in self.class_names):
            raise UserError("the passport's class_names are to be strings, one a class")
        if self.class_names and len(self.class_names) != self.architecture.num_classes:
            raise UserError(
                f"the passport names {len(self.class_names)} classes and the head has "
                f"{self.architecture.num_classes}: one of them is not this file's"
            )

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Passport":
        """Read back `to_json`.

        Raises:
            UserError: Not a passport, or fields that contradict one another.
        """
        try:
            values = parse_json(text, "it")
            values["architecture"] = config_from_dict(values["architecture"])
            values["preprocessing"] = Preprocessing.from_dict(values["preprocessing"])
            known = {field.name for field in fields(cls)}
            passport = cls(**{name: value for name, value in values.items() if name in known})
        except JsonError as error:
            raise UserError(f"the passport is damaged: {error}") from error
        except UserError:
            raise
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"the passport is damaged: {error!r}") from error
        seen, made_for = passport.preprocessing.size, passport.architecture.image_size
        if any(side > _MOST_TIMES * own for side, own in zip(seen, made_for, strict=True)):
            raise UserError(
                f"the passport's preprocessing.size is {seen} and its architecture was made for "
                f"{made_for}: one of them is not this file's"
            )
        return passport


def canary_image(rule: Preprocessing) -> UInt8[Tensor, "1 C H W"]:
    """A fixed synthetic image: ramps and a checker, different in each channel and corner."""
    height, width = rule.size
    y = torch.arange(height).view(1, -1, 1)
    x = torch.arange(width).view(1, 1, -1)
    channel = torch.arange(rule.channels).view(-1, 1, 1)
    checker = ((y * 7 // height) + (x * 5 // width) + channel) % 2
    ramp = (y * (channel + 1) * 97) // height + (x * (channel + 2) * 61) // width
    return ((ramp + checker * 96) % 256).to(torch.uint8)[None]


@torch.no_grad()
def canary_answer(
    model: Classifier, rule: Preprocessing
) -> tuple[Float[Tensor, " K"], Float[Tensor, " n"]]:
    """What the model makes of the canary, in float32 and inference mode.

    Returns:
        Logits, and the first few of the features that the head reads.
    """
    device = next(model.parameters()).device
    with answering(model):
        features = model.embed(normalise(canary_image(rule).to(device), rule))
        logits: Tensor = model.head(features)
    return logits[0].float().cpu(), features[0, :_FEATURES_KEPT].float().cpu()


def check_canary(model: Classifier, passport: Passport) -> None:
    """Compare the model's answer to the canary with the one its passport holds.

    Raises:
        UserError: They differ: wrong weights, or wrong preprocessing.
    """
    if not passport.canary:
        return
    logits, features = canary_answer(model, passport.preprocessing)
    kept = features[: len(passport.canary_features)]  # older passports have none
    if not _close(logits, passport.canary) or not _close(kept, passport.canary_features):
        raise UserError(
            f"{passport.origin.get('file', 'this model')}: the canary failed: weights and "
            "preprocessing do not give the logits that the passport promises, so one of them was "
            "changed after it was written"
        )


def _close(answer: Float[Tensor, " n"], promised: tuple[float, ...]) -> bool:
    expected = torch.tensor(promised)
    if answer.shape != expected.shape:
        return False
    scale = max(float(expected.abs().max()), 1.0) if promised else 1.0
    return torch.allclose(answer, expected, rtol=0, atol=_CANARY_TOLERANCE * scale)


def passport_of(model: Classifier) -> Passport:
    """The passport a model was loaded or trained with, or one made from its config alone.

    A model that was only created has the official preprocessing (pixels to [-1, 1]) and classes
    that are called by their numbers.
    """
    passport = getattr(model, "passport", None)
    if isinstance(passport, Passport):
        return passport
    config = model.config
    half = (0.5,) * config.channels
    return Passport(
        architecture=config,
        preprocessing=Preprocessing(
            size=config.image_size, channels=config.channels, mean=half, std=half
        ),
        class_names=tuple(str(label) for label in range(config.num_classes)),
        class_order="unknown",
    )


def with_class_order(passport: Passport, order: str) -> Passport:
    """The passport of a model without class names, with the order of its logits said.

    Args:
        passport: Of the model.
        order: `number` or `text`: see `Passport.class_order`.

    Raises:
        UserError: Another word, or a model that has names.
    """
    where = passport.origin.get("file", "this model")
    if order not in ("number", "text"):
        raise UserError(f"class_order is {order!r}: choose number or text")
    if passport.class_order == "named":
        raise UserError(f"{where} has names of its classes or no head: leave class_order out")
    return replace(
        passport,
        class_order="text" if order == "text" else "number",
        assumptions=tuple(line for line in passport.assumptions if "class_order=" not in line),
    )
