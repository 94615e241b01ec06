"""Fields of a config by their dotted names, and values put in their place."""

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vitreous.data.reading import ReadingOptions
from vitreous.errors import UserError
from vitreous.train.config import SECTIONS, TrainConfig

# What else follows when only this one is given.
_FOLLOWS = {"model.image_size": "preprocessing.size", "model.channels": "preprocessing.channels"}
_DECIDED = {
    "recipe",
    "data",
    "weights",
    "excluded",
    "read_as",
    "model.kind",
    "model.register_neurons",
    "objective.kind",
}


def field_types() -> dict[str, Any]:
    """The type of every field that can be overridden, by dotted name."""
    types = _types(TrainConfig, "")
    for name, sections in SECTIONS.items():
        for section in sections:
            types |= _types(section, f"{name}.") | types
    decided = _DECIDED | SECTIONS.keys() | _types(ReadingOptions, "reading.").keys()
    return {name: kind for name, kind in types.items() if name not in decided}


def _types(section: type[Any], prefix: str) -> dict[str, Any]:
    hints = get_type_hints(section)
    return {prefix + field.name: hints[field.name] for field in fields(section)}


def override(config: TrainConfig, texts: Mapping[str, str]) -> TrainConfig:
    """The config with some fields replaced by what a person typed.

    Args:
        config: As a recipe made it.
        texts: Values by dotted name, such as {"optimizer.learning_rate": "3e-4"}.

    Raises:
        UserError: No such field (names the nearest), no such value, or one that contradicts
            another field.
    """
    kinds = field_types()
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if name not in kinds:
            nearest = difflib.get_close_matches(name, kinds, n=3, cutoff=0.5)
            raise UserError(f"unknown option --{name}: nearest are {_options(nearest or kinds)}")
        values[name] = _parse(name, text, kinds[name])
    for leader, follower in _FOLLOWS.items():
        if leader in values:
            values.setdefault(follower, values[leader])
    # One length is enough: the one that was typed.
    for given, other in (("steps", "epochs"), ("epochs", "steps")):
        if given in values and other not in values:
            values[other] = None
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, field = name.rpartition(".")
        owner = getattr(config, section) if section else config
        known = [one.name for one in fields(owner) if one.name != "kind"]
        if field not in known:
            whose = config.model.name
            if section == "objective":
                whose = f"objective {config.objective.kind}"
            raise UserError(f"--{name} is no field of {whose}: known are {', '.join(known)}")
        sections.setdefault(section, {})[field] = value
    whole = sections.pop("", {})
    for section, changed in sections.items():
        whole[section] = replace(getattr(config, section), **changed)
    return replace(config, **whole)


def _options(names: Iterable[str]) -> str:
    return ", ".join(f"--{name}" for name in names)


def _parse(name: str, text: str, kind: Any) -> Any:
    """One value from text, by the field's type."""
    origin, arguments = get_origin(kind), get_args(kind)
    try:
        if origin in (Union, types.UnionType):
            if text.lower() == "none":
                return None
            one, *others = (argument for argument in arguments if argument is not type(None))
            # A pair, where several kinds will do, is typed as HEIGHTxWIDTH.
            several = "x" in text or "," in text
            return _parse(name, text, others[0] if others and several else one)
        if origin is Literal:
            if text not in arguments:
                raise ValueError(f"choose {' or '.join(arguments)}")
            return text
        if origin is tuple:
            parts = text.replace("x", ",").split(",")
            if len(parts) == 1 and arguments == (int, int):
                parts *= 2  # a square
            return tuple(_parse(name, part, arguments[0]) for part in parts)
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind is int:
            return int(float(text)) if float(text).is_integer() else int(text)
        return kind(text)
    except (ValueError, KeyError, OverflowError) as error:
        hint = f": {error}" if "choose" in str(error) else f" as {_words(kind)}"
        raise UserError(f"--{name} {text!r} cannot be read{hint}") from error


def _words(kind: Any) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, str(kind))
