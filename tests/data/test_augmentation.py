from typing import Any

import pytest

from vitreous.data.augmentation import Augmentation
from vitreous.errors import UserError


def test_the_default_changes_nothing() -> None:
    plain = Augmentation()
    assert (plain.crops, plain.moves, plain.recolours) == (False, False, False)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"crop_area": (0.5, 1.0)}, "crops"),
        ({"rotate": 5.0}, "moves"),
        ({"scale": 0.1}, "moves"),
        ({"translate": 0.1}, "moves"),
        ({"brightness": 0.1}, "recolours"),
        ({"contrast": 0.1}, "recolours"),
        ({"saturation": 0.1}, "recolours"),
        ({"hue": 0.1}, "recolours"),
    ],
)
def test_what_is_on(fields: dict[str, Any], what: str) -> None:
    on = Augmentation(**fields)
    assert [name for name in ("crops", "moves", "recolours") if getattr(on, name)] == [what]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop_area", (0.0, 1.0)),
        ("crop_area", (0.5, 1.1)),
        ("crop_area", (0.9, 0.5)),
        ("crop_ratio", (0.0, 1.0)),
        ("crop_ratio", (2.0, 1.0)),
        ("flip", 1.5),
        ("mix_probability", -0.1),
        ("translate", 1.1),
        ("scale", 1.0),
        ("rotate", -1.0),
        ("mixup", -0.2),
        ("cutmix", float("inf")),
        ("brightness", float("nan")),
    ],
)
def test_a_refusal_names_the_field(field: str, value: object) -> None:
    with pytest.raises(UserError, match=f"^augmentation.{field} is "):
        Augmentation(**{field: value})


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"policy": "auto"}, "policy is 'auto': choose none, randaugment"),
        ({"magnitude": 31}, "magnitude is 31"),
        ({"operations": 0}, "operations is 0"),
        ({"repeats": 0}, "repeats is 0"),
        ({"window": 0.5}, "window is 0.5"),
        ({"window": 1.2, "crop_area": (0.1, 1)}, "two ways to crop"),
        ({"erase": 2}, "erase is 2"),
        ({"hue": 0.6}, "hue is 0.6: give 0 to 0.5"),
        ({"erase_area": (0.0, 0.5)}, "erase_area is 0.0 to 0.5"),
    ],
)
def test_new_fields_are_checked(fields: dict[str, object], line: str) -> None:
    with pytest.raises(UserError, match=line):
        Augmentation(**fields)
