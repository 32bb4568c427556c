"""So many attempts at a time to one endpoint, in their order, whatever becomes of each."""

from __future__ import annotations

import asyncio

import pytest

from monitor.events import Event
from monitor.store.deliveries import Due
from workers.deliver.lines import Lines


def due(n: int) -> Due:
    return Due(id=n, alert_id=n, endpoint="hook", webhook_id=f"msg_{n}", attempts=0, tries=0, lease_until=0)


class Attempts:
    """Attempts that go on until the test lets them end; what is begun and what is over."""

    def __init__(self, most: int) -> None:
        self.begun: list[int] = []
        self.over: list[int] = []
        self.ends: dict[int, asyncio.Event] = {}
        self.broken: set[int] = set()
        self.told = 0
        self.lines = Lines(most, self.make, self.tell)

    async def make(self, one: Due, event: Event | None) -> None:
        assert event is None
        self.begun.append(one.id)
        await self.ends.setdefault(one.id, asyncio.Event()).wait()
        if one.id in self.broken:
            raise RuntimeError("a bug")
        self.over.append(one.id)

    def tell(self) -> None:
        self.told += 1

    def add(self, *numbers: int) -> None:
        self.lines.add((due(n), None) for n in numbers)

    async def end(self, *numbers: int) -> None:
        for n in numbers:
            self.ends[n].set()
        await self.turn()

    async def turn(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_no_more_than_that_are_in_flight_and_the_others_follow_in_order(most: int) -> None:
    made = Attempts(most)
    made.add(*range(5))
    await made.turn()
    for n in range(5):
        assert made.begun == list(range(min(5, n + most)))
        assert (made.lines.in_hand, made.told) == (5 - n, n)
        await made.end(n)
    assert (made.over, made.lines.in_hand, made.told) == ([0, 1, 2, 3, 4], 0, 5)


async def test_what_comes_later_takes_the_lines_that_are_free_and_no_others() -> None:
    made = Attempts(3)
    made.add(0)
    await made.turn()
    made.add(1)
    made.add(2, 3)
    await made.turn()
    assert (made.begun, made.lines.in_hand) == ([0, 1, 2], 4)
    await made.end(1)
    assert made.begun == [0, 1, 2, 3]
    await made.end(0, 2, 3)
    made.add(4)
    await made.turn()
    assert (made.begun[-1], made.lines.in_hand) == (4, 1), "also after all lines were idle"
    await made.end(4)


async def test_one_that_breaks_off_stops_no_other() -> None:
    made = Attempts(1)
    made.broken.add(0)
    made.add(0, 1)
    await made.turn()
    await made.end(0)
    assert (made.begun, made.lines.in_hand, made.told) == ([0, 1], 1, 1)
    await made.end(1)
    assert (made.over, made.lines.in_hand, made.told) == ([1], 0, 2)


async def test_what_waits_can_be_taken_back_and_what_is_in_flight_goes_on() -> None:
    made = Attempts(2)
    made.add(*range(4))
    await made.turn()
    assert [one.id for one in made.lines.take_back()] == [2, 3]
    assert (made.lines.take_back(), made.lines.in_hand) == ([], 2)
    await made.end(0, 1)
    assert (made.over, made.begun, made.lines.in_hand) == ([0, 1], [0, 1], 0)


async def test_idle_is_when_nothing_waits_and_nothing_is_in_flight() -> None:
    made = Attempts(1)
    await asyncio.wait_for(made.lines.idle(), 5)
    made.add(0, 1)
    waiting = asyncio.create_task(made.lines.idle())
    await made.turn()
    await made.end(0)
    assert not waiting.done()
    await made.end(1)
    await asyncio.wait_for(waiting, 5)
    assert made.over == [0, 1]


async def test_what_is_ended_is_over_when_that_returns() -> None:
    made = Attempts(2)
    made.add(*range(4))
    await made.turn()
    await asyncio.wait_for(made.lines.cancel(), 5)
    assert (made.lines.in_hand, made.begun, made.over) == (0, [0, 1], [])
    await asyncio.wait_for(made.lines.idle(), 5)
    made.add(7)
    await made.turn()
    assert made.begun[-1] == 7, "and it can be used again"
    await made.end(7)
