"""Processes that work by turns; what befalls one is told in a line."""

import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from vitreous.bench import contestant
from vitreous.bench.case import Case
from vitreous.bench.contestant import Contestant
from vitreous.bench.entrant import PRODUCTS
from vitreous.bench.subject import LeftOutError
from vitreous.bench.work import Job
from vitreous.errors import UserError

CASE = Case(work="inference", model="ViT-Ti/16", batch=2, image_size=32, threads=1)


class Wire:
    """The other end, in this process: so many turns are asked for."""

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.sent: list[Any] = []

    def send(self, said: Any) -> None:
        self.sent.append(said)

    def recv(self) -> int:
        if self.turns == 0:
            raise EOFError
        self.turns -= 1
        return 2


def test_it_works_when_it_is_told_to_and_not_once_it_is_closed() -> None:
    with closing(Contestant(PRODUCTS, CASE)) as products:
        assert products.said["flops"] > 0
        clock, processor = products.turn(3)
        assert 0 < clock < 5
        assert processor > 0
        process = products._process
        assert process.is_alive()
    assert not process.is_alive()


def test_one_that_is_killed_is_told_of() -> None:
    with closing(Contestant(PRODUCTS, CASE)) as products:
        os.kill(products._process.pid or 0, signal.SIGKILL)
        with pytest.raises(LeftOutError, match=r"^killed, most likely for want of memory$"):
            products.turn(1)


def test_one_that_dies_otherwise_is_not_said_to_want_memory() -> None:
    with closing(Contestant(PRODUCTS, CASE)) as products:
        os.kill(products._process.pid or 0, signal.SIGABRT)
        with pytest.raises(LeftOutError, match=r"^exit code -6$"):
            products.turn(1)


def test_a_model_that_cannot_be_made_is_the_cases_fault(tmp_path: Path) -> None:
    file = tmp_path / "broken.safetensors"
    file.write_bytes(b"no tensors")
    with pytest.raises(UserError, match=r"broken\.safetensors"):
        Contestant("vitreous", Case(work="inference", model=str(file), threads=1))


def test_turns_are_timed_until_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    job = Job(lambda: calls.append(1) or torch.zeros(1), lambda: 0, "float32")  # type: ignore[func-returns-value]
    monkeypatch.setattr(contestant, "enter", lambda name, case: (job, {"version": "1"}))
    monkeypatch.setattr(contestant, "end_with_parent", lambda: None)
    wire: Any = Wire(turns=3)
    contestant._serve(wire, PRODUCTS, CASE)
    said, *turns = wire.sent
    assert said == {"version": "1"}
    assert len(turns) == 3
    assert len(calls) == 6
    assert all(clock > 0 for clock, _ in turns)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LeftOutError("not installed: pip install timm"), "not installed: pip install timm"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"), "out of memory"),
        (MemoryError(), "out of memory"),
        (TypeError("of somebody\nelse"), "TypeError: of somebody"),
    ],
)
def test_what_goes_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    def enter(name: str, case: Case) -> None:
        raise error

    monkeypatch.setattr(contestant, "enter", enter)
    monkeypatch.setattr(contestant, "end_with_parent", lambda: None)
    wire: Any = Wire(turns=1)
    contestant._serve(wire, PRODUCTS, CASE)
    assert wire.sent == [line]


@pytest.mark.parametrize(("name", "kept"), [("timm", False), ("vitreous", True)])
def test_peers_have_the_allocator_as_they_leave_it(
    monkeypatch: pytest.MonkeyPatch, name: str, kept: bool
) -> None:
    """Though models of ours, which would keep what is freed, are made there too."""
    seen: list[bool] = []

    def enter(name: str, case: Case) -> None:
        seen.append("MALLOC_MMAP_MAX_" not in os.environ)
        raise LeftOutError("seen")

    monkeypatch.setattr(contestant, "enter", enter)
    monkeypatch.setattr(contestant, "end_with_parent", lambda: None)
    monkeypatch.setattr(contestant, "keep_freed_memory", lambda: seen.append(True))
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    # Put back afterwards, though _serve sets it.
    monkeypatch.setattr(os, "environ", dict(os.environ))
    contestant._serve(Wire(turns=0), name, CASE)  # type: ignore[arg-type]
    assert all(seen) == kept
    assert len(seen) == 1 + kept
