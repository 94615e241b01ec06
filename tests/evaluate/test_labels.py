from dataclasses import replace

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.evaluate.labels import match_classes, named_by_data
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.weights.passport import Passport, passport_of, with_class_order


@pytest.mark.parametrize(
    ("model", "data", "places"),
    [
        (["a", "b", "c"], ["a", "b", "c"], [0, 1, 2]),
        (["c", "a", "b"], ["a", "b", "c"], [1, 2, 0]),
        (["a", "b", "c"], ["c", "a"], [2, 0]),
        (["crane", "b", "crane"], ["crane", "b", "crane"], [0, 1, 2]),
        (["0", "1", "2"], ["a", "b", "c"], [0, 1, 2]),
        (["a", "b", "c"], ["0", "1", "2"], [0, 1, 2]),
        (["2", "1", "0"], ["0", "1", "2"], [2, 1, 0]),
        ([str(n) for n in range(12)], [str(n) for n in range(3)], [0, 1, 2]),
    ],
)
def test_places(model: list[str], data: list[str], places: list[int]) -> None:
    matched = match_classes(model, data)
    assert matched.dtype == np.int64
    assert matched.tolist() == places


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (["a", "b"], ["a", "z"]),
        (["a", "b"], ["a", "b", "c"]),
        (["a", "b", "c"], ["0", "1"]),
        (["a", "b"], ["1", "0"]),
    ],
)
def test_a_class_that_the_model_never_learnt(model: list[str], data: list[str]) -> None:
    words = rf"knows {len(model)} classes \({', '.join(model)}\).*{len(data)} classes \({data[0]}"
    with pytest.raises(UserError, match=words):
        match_classes(model, data)


def test_long_lists_are_cut() -> None:
    with pytest.raises(UserError, match=r"1000 classes \(0, 1, 2, 3, 4, \.\.\.\) and the data"):
        match_classes([str(n) for n in range(1000)], ["cat"])


def nameless(size: int, order: str | None = None) -> Passport:
    model = create_model(
        ViTConfig(image_size=8, patch=8, width=4, depth=1, heads=1, mlp_width=4, num_classes=size)
    )
    passport = passport_of(model)
    assert passport.class_order == "unknown"
    return passport if order is None else with_class_order(passport, order)


NUMBERS = [str(number) for number in range(12)]


def test_numbers_in_text_order_are_asked_about() -> None:
    both = r"\(0, 1, 2, 3, 4, \.\.\.\).*\(0, 1, 10, 11, 2, \.\.\.\).*--class-order text"
    with pytest.raises(UserError, match=both):
        named_by_data(nameless(12), NUMBERS)
    text = named_by_data(nameless(12, "text"), NUMBERS)
    assert text.class_names == tuple(sorted(NUMBERS))
    assert match_classes(text.class_names, NUMBERS).tolist() == [
        0,
        1,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        2,
        3,
    ]
    number = named_by_data(nameless(12, "number"), NUMBERS)
    assert match_classes(number.class_names, NUMBERS).tolist() == list(range(12))


def test_numbers_from_one_and_some_of_them_too() -> None:
    from_one = [str(number) for number in range(1, 13)]
    with pytest.raises(UserError, match="class-order"):
        named_by_data(nameless(12), from_one)
    text = named_by_data(nameless(12, "text"), from_one)
    assert text.class_names[:4] == ("1", "10", "11", "12")
    some = named_by_data(nameless(12, "text"), ["2", "10"])
    assert match_classes(some.class_names, ["2", "10"]).tolist() == [4, 2]
    assert some.class_names[0] == "logit 0"


@pytest.mark.parametrize(
    "data", [["0", "1", "2"], ["cat", "dog", "eel"], ["01", "02", "10"], ["a", "b", "b"]]
)
def test_one_order_needs_no_question_and_is_said(data: list[str], caplog) -> None:
    named = named_by_data(nameless(3), data)
    assert match_classes(named.class_names, data).tolist() == [0, 1, 2]
    assert "the model has no class names: its logits are taken for 3 classes" in caplog.text


def test_names_in_another_order_than_text_are_asked_about() -> None:
    with pytest.raises(UserError, match="class-order"):
        named_by_data(nameless(3), ["dog", "cat", "eel"])


def test_other_classes_than_the_heads() -> None:
    with pytest.raises(UserError, match="knows 3 classes .* and the data has 2 classes"):
        named_by_data(nameless(3), ["a", "b"])


def test_a_model_with_names_keeps_them() -> None:
    passport = replace(nameless(2), class_names=("b", "a"), class_order="named")
    assert named_by_data(passport, ["a", "b"]) is passport
    with pytest.raises(UserError, match="leave class_order out"):
        with_class_order(passport, "text")
