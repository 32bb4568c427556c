"""How many digests fell due and what each says it is; and what is old enough to be forgotten, to the second."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from monitor import telemetry
from monitor.settings.timing import parse_digest
from monitor.store import Database, alerts, deliveries, delivery_log, parse_filters
from monitor.store.budgets import SETTLE_MS, Recipient
from monitor.times import now_ms
from tests.delivering import Clock, logged, sender
from tests.one_database import store_url
from tests.receiver import Receiver
from tests.test_store import carries, judged, post, write
from workers.deliver import digest, tidy

__all__ = ["store_url"]

HOUR_MS = 3_600_000


async def keep_for_digest(database: Database, n: int, *names: str) -> None:
    """A claim of which these endpoints are told in their next hourly digest."""
    text = f"claim {n}"
    one = judged(n, post(str(n), text), carries(text, text, f"claim-{n}"))
    kept = tuple(Recipient(name, digest=parse_digest("hourly")) for name in names)
    await write(database, replace(one, alerts=(replace(one.alerts[0], recipients=kept),)))


async def summaries(database: Database) -> list[str]:
    async with database.read() as connection:
        page = await alerts.page(connection, parse_filters({}))
    return sorted(one.summary for one in page.items if one.kind == "digest")


def raised_so_far() -> float:
    return next(one.value for metric in telemetry.alerted.collect() for one in metric.samples if one.name.endswith("_total"))


async def test_each_endpoint_has_a_digest_of_its_own_that_is_raised_once(database: Database) -> None:
    for n in range(2):
        await keep_for_digest(database, n, "asking", "bound", "elsewhere")
    later, before = now_ms() + HOUR_MS + SETTLE_MS, raised_so_far()
    names = ("asking", "bound")
    assert await digest.raise_due(database, names, now_ms() - HOUR_MS, ("asking",)) == 0, "not before its time"
    assert await digest.raise_due(database, names, later, ("asking",)) == 2
    assert await digest.raise_due(database, names, later, ("asking",)) == 0
    assert raised_so_far() - before == 2
    beyond, asked = await summaries(database)  # and who is not delivered to from here has none
    assert asked == "2 alerts for the endpoint asking since its last digest."
    assert beyond.startswith("2 alerts beyond the budget of the endpoint bound in the hour from ")


def test_who_asks_for_digests_is_known() -> None:
    nobody = Receiver()
    assert digest.asking([nobody.endpoint("calm"), nobody.endpoint("hourly", digest="hourly")]) == {"hourly"}


async def test_they_are_raised_as_they_fall_due_and_the_queues_are_woken(database: Database) -> None:
    hook, stop, woken = Receiver().endpoint(digest="hourly"), asyncio.Event(), list[float]()
    times = iter([now_ms() - HOUR_MS, now_ms() + HOUR_MS + SETTLE_MS, now_ms() + HOUR_MS + SETTLE_MS])
    await keep_for_digest(database, 1, "hook")

    def clock() -> int:
        now = next(times, None)
        if now is None:
            stop.set()
            return 0
        return now

    with pytest.MonkeyPatch.context() as quick:
        quick.setattr(digest, "LOOK_EVERY_S", 0.0)
        await asyncio.wait_for(digest.keep_raising(database, [hook], clock, stop, lambda: woken.append(1)), 30)
    assert woken == [1], "once, when there was one"
    assert await summaries(database) == ["1 alert for the endpoint hook since its last digest."]


async def test_one_look_that_fails_is_not_the_last(database: Database) -> None:
    hook, stop, looks = Receiver().endpoint(digest="hourly"), asyncio.Event(), list[int]()
    await keep_for_digest(database, 1, "hook")

    def clock() -> int:
        looks.append(1)
        if len(looks) < 3:
            raise RuntimeError("no time")
        return now_ms() + HOUR_MS + SETTLE_MS

    with pytest.MonkeyPatch.context() as quick:
        quick.setattr(digest, "LOOK_EVERY_S", 0.0)
        await asyncio.wait_for(digest.keep_raising(database, [hook], clock, stop, stop.set), 30)
    assert len(looks) == 3
    assert len(await summaries(database)) == 1


async def make_tests(database: Database, receiver: Receiver, clock: Clock, count: int) -> None:
    async with database.write() as connection:
        for _ in range(count):
            await deliveries.raise_test(connection, receiver.endpoint())
    await sender(database, clock, receiver.endpoint()).flush()


@pytest.mark.parametrize(("retain_s", "left"), [(86_400.0, 0), (86_460.0, 2), (0.5, 0)])
async def test_what_is_older_than_that_is_forgotten_and_nothing_younger(
    database: Database, clock: Clock, receiver: Receiver, retain_s: float, left: int
) -> None:
    await make_tests(database, receiver, clock, 2)
    at = now_ms() + 86_400_000 + 30_000  # made a day and half a minute ago, or a little more
    assert await tidy.forget_old(database, retain_s, at, asyncio.Event()) == 2 - left
    assert len(await logged(database)) == left


async def test_who_is_told_to_stop_forgets_no_more(
    database: Database, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "STEP", 1)
    await make_tests(database, receiver, clock, 2)
    stop = asyncio.Event()
    stop.set()
    assert await tidy.forget_old(database, 1.0, now_ms() + HOUR_MS, stop) == 0
    assert len(await logged(database)) == 2
    monkeypatch.setattr(tidy, "BETWEEN_S", 0.0)
    assert await tidy.forget_old(database, 1.0, now_ms() + HOUR_MS, asyncio.Event()) == 2


async def test_tidying_goes_on_after_one_that_failed(
    database: Database, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidy, "LOOK_EVERY_S", 0.0)
    await make_tests(database, receiver, clock, 2)
    stop, looks = asyncio.Event(), list[int]()

    def later() -> int:
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("no time")
        if len(looks) == 3:
            stop.set()
        return now_ms() + HOUR_MS

    await asyncio.wait_for(tidy.keep_tidy(database, 60.0, later, stop), 30)
    assert len(looks) == 3
    assert await logged(database) == []
