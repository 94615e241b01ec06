import logging

import pytest
import torch

from vitreous.errors import UserError
from vitreous.weights.head import kept_rows, match_rows


def test_rows_go_where_their_names_go(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vitreous"):
        kept = match_rows(("daisy", "rose", "tulip"), ("tulip", "iris", "daisy"))
    assert kept == {0: 2, 2: 0}
    assert caplog.messages == ["kept 2 of 3 rows of the head by class name; zero: iris"]
    rows = kept_rows(torch.tensor([[1.0], [2.0], [3.0]]), 3, kept)
    assert torch.equal(rows, torch.tensor([[3.0], [0.0], [1.0]]))


def test_classes_of_one_name_keep_their_order() -> None:
    assert match_rows(("crane", "dog", "crane"), ("crane", "crane")) == {0: 0, 1: 2}


def test_a_name_of_two_rows_is_not_guessed() -> None:
    with pytest.raises(UserError, match="'crane' stands for 2 rows .* asked for 1 times"):
        match_rows(("crane", "crane"), ("crane",))
    with pytest.raises(UserError, match="'crane' stands for 1 rows .* asked for 2 times"):
        match_rows(("crane",), ("crane", "crane"))


def test_nothing_known_is_refused() -> None:
    with pytest.raises(UserError, match=r"none of the 1 classes \(iris\), it has daisy: leave"):
        match_rows(("daisy",), ("iris",))
    with pytest.raises(UserError, match="it has none: leave"):
        match_rows((), ("iris",))
