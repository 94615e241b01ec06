"""Looks are kept by count and by memory, the newest ones."""

from collections.abc import Callable

import pytest

from vitreous.data.decode import decode
from vitreous.explorer.look import Look, look_at
from vitreous.explorer.shelf import Shelf
from vitreous.explorer.subject import Subject


@pytest.fixture
def look(make_subject: Callable[..., Subject], photo: bytes) -> Look:
    return look_at(make_subject(), decode(photo, "photo"))


def test_the_oldest_goes_when_there_are_too_many(look: Look) -> None:
    shelf = Shelf(most_looks=2)
    shelf.put((0, "a"), look)
    shelf.put((0, "b"), look)
    assert shelf.get((0, "a")) is look  # asked for, and so newer than b
    shelf.put((1, "a"), look)
    assert shelf.get((0, "b")) is None
    assert shelf.get((0, "a")) is look
    assert len(shelf) == 2


def test_memory_is_a_limit_too(look: Look) -> None:
    # Queries and keys of 3 layers, 16 tokens, width 24, and their normalisers for 3 heads; pixels.
    assert look.nbytes == 3 * 16 * (2 * 24 + 3) * 4 + 24 * 40 * 3 * 5
    shelf = Shelf(most_bytes=2 * look.nbytes)
    for name in "abc":
        shelf.put((0, name), look)
    assert [shelf.get((0, name)) is look for name in "abc"] == [False, True, True]


def test_one_look_is_always_kept(look: Look) -> None:
    shelf = Shelf(most_bytes=1)
    shelf.put((0, "a"), look)
    shelf.put((0, "b"), look)
    assert shelf.get((0, "a")) is None
    assert shelf.get((0, "b")) is look
