"""A receiver that asks for time with Retry-After: its endpoint is sent nothing else until then, whoever sends."""

from __future__ import annotations

import asyncio

import pytest

from monitor.settings import Settings
from monitor.store import Database, endpoints
from monitor.times import parse_time, rfc3339
from tests.delivering import Clock, logged, raise_claim, sender, state_of
from tests.receiver import Behaviour, Receiver, retry_after, status
from tests.test_store import NOW
from workers.deliver.queue import IN_FLIGHT, LEASE_MS
from workers.deliver.schedule import WAITS


async def hold_of(database: Database, name: str = "hook") -> int:
    async with database.read() as connection:
        return (await endpoints.standing(connection, name)).held_until_ms


@pytest.mark.parametrize("code", [429, 502, 503, 504])
async def test_retry_after_holds_the_whole_endpoint_and_no_other(
    database: Database, clock: Clock, receiver: Receiver, code: int
) -> None:
    receiver.script(retry_after(code, "600"))
    await raise_claim(database, 1)
    async with Receiver(clock=clock) as other:
        both = receiver.endpoint(), receiver.endpoint("other", url=other.url)
        await sender(database, clock, *both).flush()
        await raise_claim(database, 2, "hook", "other")
        clock.now = NOW + 599_999
        assert await sender(database, clock, *both).flush() == 1, "a new start does not forget it"
        assert (len(receiver.kept), len(other.kept)) == (1, 1)
        clock.now += 1
        await sender(database, clock, *both).flush()
    assert [got.quote for got in receiver.kept] == ["claim 1", "claim 2", "claim 1"]
    assert {one.state for one in await logged(database)} == {"delivered"}


async def test_a_date_is_understood_and_a_day_is_the_most(database: Database, clock: Clock, receiver: Receiver) -> None:
    asked = parse_time("2026-09-21T14:53:20Z")
    receiver.script(retry_after(504, "Mon, 21 Sep 2026 14:53:20 GMT"), retry_after(429, "9999999"))
    await raise_claim(database, 1)
    await sender(database, clock, receiver.endpoint()).flush()
    assert await hold_of(database) == asked
    async with database.read() as connection:
        assert rfc3339(asked) in (await endpoints.reasons(connection))["hook"]
    clock.now = asked
    await sender(database, clock, receiver.endpoint()).flush()
    assert await hold_of(database) == asked + 86_400_000
    assert [one.status for one in (await logged(database))[0].attempts] == [504, 429]


async def test_a_shorter_word_does_not_end_a_longer_hold(database: Database, clock: Clock, receiver: Receiver) -> None:
    for n in range(2):
        await raise_claim(database, n)
    receiver.script(retry_after(429, "600"), retry_after(429, "60"))
    await sender(database, clock, receiver.endpoint()).flush()  # both were in flight
    assert len(receiver.kept) == 2
    assert await hold_of(database) == NOW + 600_000


@pytest.mark.parametrize("answer", [status(429), status(503), retry_after(500, "600"), retry_after(429, "soon")])
async def test_without_a_time_only_the_delivery_waits(
    database: Database, clock: Clock, receiver: Receiver, answer: Behaviour
) -> None:
    receiver.script(answer)
    for n in range(2):
        await raise_claim(database, n)
        await sender(database, clock, receiver.endpoint()).flush()
    assert [got.quote for got in receiver.kept] == ["claim 0", "claim 1"]
    assert (await logged(database))[0].state == "pending"
    clock.now += WAITS[0]
    assert await sender(database, clock, receiver.endpoint()).flush() == 1


async def test_what_a_running_sender_has_in_hand_is_not_sent_and_goes_out_as_soon_as_it_may(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    number, stop = 200, asyncio.Event()
    for n in range(number):
        await raise_claim(database, n)
    receiver.script(*[status(204)] * 20)  # quick, so that much is taken ahead
    receiver.always(retry_after(503, "10"))
    running = asyncio.create_task(sender(database, clock, receiver.endpoint()).run(stop))
    await receiver.got(21)
    async with asyncio.timeout(20):
        while await hold_of(database) == 0:
            await asyncio.sleep(0.01)
    sent = len(receiver.kept)
    assert sent < 21 + IN_FLIGHT, "but what was in flight already"
    receiver.always(status(204))
    clock.now += 10_000
    assert clock.now < NOW + LEASE_MS, "so it was given back"
    await receiver.got(number + sent - 20)
    stop.set()
    await running
    assert len(receiver.kept) == number + sent - 20
    assert await state_of(database, receiver.endpoint()) == ("ok", 0, 0)


async def test_another_sender_that_is_at_work_stops_too(
    database: Database, store_url: str, clock: Clock, receiver: Receiver
) -> None:
    stop = asyncio.Event()
    other_process = Database(Settings(store={"url": store_url}).sqlalchemy_url)  # connections of its own
    await raise_claim(database, 1)
    receiver.script(retry_after(429, "600"))
    await sender(database, clock, receiver.endpoint()).flush()
    at_work = sender(other_process, clock, receiver.endpoint())
    running = asyncio.create_task(at_work.run(stop))
    async with Receiver(clock=clock) as witness:
        second = sender(database, clock, receiver.endpoint("witness", url=witness.url))
        for n in range(2, 5):
            await raise_claim(database, n, "hook", "witness")
            at_work.wake()
            await second.flush()
            await witness.got(n - 1)
    assert len(receiver.kept) == 1
    clock.now += 600_000
    at_work.wake()
    await receiver.got(5)
    stop.set()
    await running
    await other_process.close()
