"""One thread, a short line, and an answer at once where it is full."""

import asyncio
import threading

import pytest

from vitreous.explorer.lane import BusyError, ClosedError, Lane


def test_work_is_done_in_order_by_one_thread() -> None:
    lane, done = Lane(3), []

    async def ask(number: int) -> int:
        with lane.place():
            return await lane.run(lambda: done.append(threading.get_ident()) or number)

    async def all_three() -> list[int]:
        return await asyncio.gather(*(ask(number) for number in range(3)))

    assert asyncio.run(all_three()) == [0, 1, 2]
    assert len(set(done)) == 1
    assert done[0] != threading.get_ident()


def test_whoever_finds_it_full_is_told_at_once() -> None:
    lane = Lane(2)
    with lane.place():
        with lane.place(), pytest.raises(BusyError), lane.place():
            pass
        with lane.place():  # a place is free again
            pass


def test_a_fault_gives_the_place_back() -> None:
    lane = Lane(1)

    async def fail() -> None:
        with lane.place():
            await lane.run(lambda: 1 // 0)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(fail())


def test_closing_stops_long_work() -> None:
    lane = Lane(1)
    lane.check()
    lane.close()
    with pytest.raises(ClosedError):
        lane.check()
