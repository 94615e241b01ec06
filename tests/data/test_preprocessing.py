from dataclasses import asdict
from typing import Any

import pytest

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": (8,)}, r"preprocessing.size is \(8,\): give \(H, W\)"),
        ({"size": (0, 8)}, "preprocessing.size"),
        ({"size": (8.0, 8)}, "preprocessing.size"),
        ({"crop_fraction": 0.0}, "preprocessing.crop_fraction is 0.0"),
        ({"crop_fraction": 1.1}, "preprocessing.crop_fraction is 1.1"),
        ({"fit": "pad"}, "preprocessing.fit is 'pad': choose crop or squash"),
        ({"interpolation": "lanczos"}, "choose bicubic or bilinear or nearest"),
        ({"mean": (0.5,)}, "preprocessing.mean has 1 numbers for 3 channels"),
        ({"std": (0.5,) * 4}, "preprocessing.std has 4 numbers for 3 channels"),
        ({"std": (0.5, 0.0, 0.5)}, "preprocessing.std is .*: give numbers over 0"),
    ],
)
def test_a_refusal_names_the_field(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Preprocessing(**{"size": (8, 8), **fields})


def test_it_comes_back_from_its_dict_and_from_lists() -> None:
    rule = Preprocessing(size=(8, 6), channels=1, mean=(0.4,), std=(0.2,), fit="squash")
    assert Preprocessing.from_dict(asdict(rule)) == rule
    assert Preprocessing.from_dict(asdict(rule) | {"size": [8, 6], "mean": [0.4]}) == rule


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(UserError, match="unknown preprocessing field 'crop'"):
        Preprocessing.from_dict({"size": (8, 8), "crop": 1})
