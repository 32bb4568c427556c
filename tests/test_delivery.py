"""From an alert in the record to a receiver: signed, on the schedule, in order, and all of it in the log."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from prometheus_client.samples import Sample

from monitor import telemetry
from monitor.ids import claim_id_of
from monitor.store import Database, deliveries, parse_filters
from monitor.times import parse_time
from tests.delivering import Clock, logged, number_of, raise_claim, raise_more, sender, state_of
from tests.receiver import (
    OTHER_SECRET,
    SECRET,
    Receiver,
    reset,
    retry_after,
    status,
)
from tests.test_store import NOW
from workers.deliver.schedule import WAITS


async def test_an_alert_arrives_signed_and_the_log_says_so(database: Database, clock: Clock, receiver: Receiver) -> None:
    receiver.script(status(202, "thanks\x00" + "é" * 2000))
    await raise_claim(database, 1)
    assert await sender(database, clock, receiver.endpoint()).flush() == 1
    (got,) = await receiver.got(1)
    (delivery,) = await logged(database)
    assert (got.event["type"], got.quote, got.id) == ("claim.new", "claim 1", delivery.webhook_id)
    assert got.event["data"]["alert_id"] == delivery.alert_id
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("exowatch/")
    assert got.timestamp == NOW // 1000
    assert receiver.forged == 0
    (attempt,) = delivery.attempts
    assert (delivery.state, attempt.status, attempt.error, parse_time(attempt.at)) == ("delivered", 202, None, NOW)
    assert attempt.answer is not None
    assert attempt.answer.startswith("thanks\ufffdéé")
    assert len(attempt.answer.encode()) <= 1024 + 4, "its first kilobyte"
    assert await state_of(database, receiver.endpoint()) == ("ok", 0, 0)
    assert await sender(database, clock, receiver.endpoint()).flush() == 0, "and never again"


async def test_two_secrets_give_two_signatures_while_rotating(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_claim(database, 1, "hook", "moved")
    async with Receiver(OTHER_SECRET, clock) as moved:
        both = [OTHER_SECRET, SECRET]
        await sender(
            database, clock, receiver.endpoint(secret=both), receiver.endpoint("moved", url=moved.url, secret=both)
        ).flush()
        assert (len(receiver.kept), len(moved.kept), receiver.forged + moved.forged) == (1, 1, 0)


async def test_a_failing_delivery_follows_the_schedule_to_its_end_and_can_be_sent_again(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    receiver.always(status(500, "broken"))
    await raise_claim(database, 1)
    sending = sender(database, clock, receiver.endpoint())
    assert await sending.flush() == 1
    for wait in WAITS:
        assert await state_of(database, receiver.endpoint()) == ("failing", 1, 0)
        clock.now += wait - 1
        assert await sending.flush() == 0, "not before its time"
        clock.now += 1
        assert await sending.flush() == 1
    (dead,) = await logged(database, state="dead")
    assert [attempt.status for attempt in dead.attempts] == [500] * 11
    waits = [parse_time(b.at) - parse_time(a.at) for a, b in zip(dead.attempts, dead.attempts[1:], strict=False)]
    assert waits == list(WAITS)
    assert {got.id for got in receiver.kept} == {dead.webhook_id}
    assert len({got.timestamp for got in receiver.kept}) == 11, "each attempt is signed with its own time"
    clock.now += WAITS[-1]
    assert await sending.flush() == 0, "the dead are left in peace"

    async with database.write() as connection:
        queued = await deliveries.redeliver(connection, number_of(dead), clock())
        assert await deliveries.redeliver(connection, 12345, clock()) is None
    assert queued is not None
    assert (queued.state, queued.webhook_id, len(queued.attempts)) == ("pending", dead.webhook_id, 11)
    assert await sending.flush() == 1
    clock.now += WAITS[0]
    receiver.always(status(204))
    assert await sending.flush() == 1, "the schedule began anew"
    (again,) = await logged(database)
    assert (again.state, len(again.attempts), receiver.kept[-1].id) == ("delivered", 13, dead.webhook_id)
    assert await state_of(database, receiver.endpoint()) == ("ok", 0, 0)


async def test_what_was_delivered_can_be_sent_again(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_claim(database, 1)
    sending = sender(database, clock, receiver.endpoint())
    await sending.flush()
    (first,) = await logged(database)
    async with database.write() as connection:
        await deliveries.redeliver(connection, number_of(first), clock())
    await sending.flush()
    assert [got.id for got in receiver.kept] == [first.webhook_id] * 2


async def test_retry_after_is_honoured_in_both_forms(database: Database, clock: Clock, receiver: Receiver) -> None:
    receiver.script(retry_after(429, "600"), retry_after(503, "Mon, 21 Sep 2026 14:53:20 GMT"))
    await raise_claim(database, 1)
    sending = sender(database, clock, receiver.endpoint())
    await sending.flush()
    clock.now = NOW + 599_999
    assert await sending.flush() == 0
    clock.now += 1
    assert await sending.flush() == 1
    clock.now = parse_time("2026-09-21T14:53:19.999Z")
    assert await sending.flush() == 0
    clock.now += 1
    assert await sending.flush() == 1
    assert [attempt.status for attempt in (await logged(database))[0].attempts] == [429, 503, 204]


async def test_410_disables_the_endpoint_and_the_others_are_told(database: Database, clock: Clock, receiver: Receiver) -> None:
    for n in range(3):
        await raise_claim(database, n)
    async with Receiver(clock=clock) as desk, Receiver(clock=clock) as deaf:
        gone = receiver.endpoint()
        others = [receiver.endpoint("desk", url=desk.url), receiver.endpoint("deaf", url=deaf.url, events=["claim.new"])]
        receiver.always(status(410))
        sending = sender(database, clock, gone, *others)
        await sending.flush()
        await sending.flush()
        assert await state_of(database, gone) == ("disabled", 0, 3)
        (told,) = desk.kept
        assert told.event["type"] == "endpoint.disabled"
        assert told.event["data"]["endpoint"]["name"] == "hook"
        status_told = {name: told.event["data"]["endpoint"][name] for name in ("state", "pending", "dead")}
        assert status_told == {"state": "disabled", "pending": 0, "dead": 3}
        assert deaf.kept == []

        sent = len(receiver.kept)
        receiver.always(status(204))
        await raise_claim(database, 4)
        await sending.flush()
        assert len(receiver.kept) == sent, "a disabled endpoint is sent nothing"
        assert await state_of(database, gone) == ("disabled", 0, 4)

        async with database.write() as connection:
            number = await deliveries.raise_test(connection, gone)
        await sending.flush()
        async with database.read() as connection:
            test = await deliveries.find(connection, number)
        assert test is not None
        assert (test.state, receiver.kept[-1].event["type"]) == ("delivered", "test"), "a test by hand enables it"
        assert receiver.kept[-1].event["data"]["endpoint"]["name"] == "hook"
        dead = await logged(database, endpoint="hook", state="dead")
        async with database.write() as connection:
            for one in dead:
                await deliveries.redeliver(connection, number_of(one), clock())
        await sending.flush()
        assert await state_of(database, gone) == ("ok", 0, 0), "nothing was lost"


async def test_a_sender_that_starts_enables_what_was_disabled(database: Database, clock: Clock, receiver: Receiver) -> None:
    receiver.script(status(410))
    await raise_claim(database, 1)
    await sender(database, clock, receiver.endpoint()).flush()
    assert (await state_of(database, receiver.endpoint()))[0] == "disabled"
    stop = asyncio.Event()
    running = asyncio.create_task(sender(database, clock, receiver.endpoint()).run(stop))
    await raise_claim(database, 2)
    await receiver.got(2)
    stop.set()
    await running
    assert await state_of(database, receiver.endpoint()) == ("ok", 0, 1)


async def test_a_test_reaches_one_endpoint_whatever_it_filters(database: Database, clock: Clock, receiver: Receiver) -> None:
    narrow = receiver.endpoint(events=["source.down"], min_confidence=1.0)
    async with database.write() as connection:
        first = await deliveries.raise_test(connection, narrow)
        second = await deliveries.raise_test(connection, narrow)
    assert first != second
    await sender(database, clock, narrow, receiver.endpoint("other")).flush()
    assert [got.event["type"] for got in receiver.kept] == ["test", "test"]


async def test_the_alerts_of_one_claim_arrive_in_order_and_hold_up_no_other_claim(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    receiver.script(status(500))
    await raise_claim(database, 1)
    sending = sender(database, clock, receiver.endpoint())
    assert await sending.flush() == 1
    await raise_more(database, 1, "claim.spreading")
    await raise_more(database, 1, "claim.resurfaced")
    await raise_claim(database, 2)
    assert await sending.flush() == 1, "only the other claim's: the first one has to arrive before"
    async with database.read() as connection:
        assert await deliveries.next_due(connection, "hook") == NOW + WAITS[0], "what waits for another is not due"
    clock.now += WAITS[0]
    assert await sending.flush() == 3
    heard = [(got.event["type"], got.quote) for got in receiver.kept]
    assert heard == [
        ("claim.new", "claim 1"),
        ("claim.new", "claim 2"),
        ("claim.new", "claim 1"),
        ("claim.spreading", "claim 1"),
        ("claim.resurfaced", "claim 1"),
    ]


async def test_no_secret_and_no_address_is_logged(database: Database, clock: Clock, receiver: Receiver) -> None:
    receiver.script(reset(), status(500))
    hidden = receiver.endpoint(url=receiver.url + "?token=hush")
    await raise_claim(database, 1)
    sending = sender(database, clock, hidden)
    with structlog.testing.capture_logs() as logs:
        for wait in WAITS[:3]:
            await sending.flush()
            clock.now += wait
    assert [entry["event"] for entry in logs] == ["delivery failed, it is tried again"] * 2 + ["alert delivered"]
    assert all(entry["alert"].startswith("a_") and entry["mention"].startswith("m_") for entry in logs)
    assert "hush" not in str(logs)
    assert SECRET.partition("_")[2] not in str(logs)


async def test_attempts_are_counted_and_first_deliveries_timed(database: Database, clock: Clock, receiver: Receiver) -> None:
    def samples() -> dict[tuple[str, str], float]:
        counters = (telemetry.delivered, telemetry.delivery_attempts, telemetry.delivery_errors, telemetry.retried_deliveries)
        found: list[Sample] = [one for counter in counters for metric in counter.collect() for one in metric.samples]
        return {
            (one.name.removeprefix("exowatch_"), one.labels.get("outcome", "")): one.value
            for one in found
            if one.name.endswith("_total") and one.labels["endpoint"] == "counted"
        }

    def timed() -> float:
        return next(
            one.value for metric in telemetry.delivery_seconds.collect() for one in metric.samples if one.name.endswith("_count")
        )

    counted, before = samples(), timed()
    receiver.script(status(500), status(204))
    await raise_claim(database, 1, "counted")
    sending = sender(database, clock, receiver.endpoint("counted"))
    await sending.flush()
    clock.now += WAITS[0]
    await sending.flush()
    (delivery,) = await logged(database)
    async with database.write() as connection:
        await deliveries.redeliver(connection, number_of(delivery), clock())
    await sending.flush()
    assert {key: value - counted.get(key, 0) for key, value in samples().items()} == {
        ("delivery_attempts_total", "failed"): 1,
        ("delivery_attempts_total", "delivered"): 2,
        ("alerts_delivered_total", ""): 2,
        ("delivery_errors_total", ""): 1,
        ("deliveries_retried_total", ""): 1,  # what is sent again by hand is no retry
    }
    assert timed() == before + 1


async def test_pages_of_deliveries_follow_each_other_and_take_the_filters(database: Database) -> None:
    for n in range(5):
        await raise_claim(database, n, "hook", "other")

    async def page(endpoint: str | None = None, **filters: list[str]) -> Any:
        async with database.read() as connection:
            return await deliveries.page(connection, parse_filters(filters), endpoint)

    everything = await page()
    assert len(everything.items) == 10
    first = await page("hook", limit=["3"])
    rest = await page("hook", limit=["3"], cursor=[first.next])
    assert [one.id for one in (*first.items, *rest.items)] == [one.id for one in everything.items if one.endpoint == "hook"]
    assert rest.next is None
    assert len((await page(claim=[claim_id_of("claim-3")])).items) == 2
    assert (await page(type=["safety"])).items == []
    assert len((await page(type=["regulatory_status"], platform=["reddit"])).items) == 10


async def test_more_than_can_be_in_flight_arrive_once_each_and_are_all_in_the_log(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    for n in range(30):
        await raise_claim(database, n)
    stop = asyncio.Event()
    running = asyncio.create_task((one := sender(database, clock, receiver.endpoint())).run(stop))
    await receiver.got(30)
    stop.set()
    one.wake()
    await running
    found = await logged(database)
    assert sorted(got.id for got in receiver.kept) == sorted(delivery.webhook_id for delivery in found)
    assert [(delivery.state, len(delivery.attempts)) for delivery in found] == [("delivered", 1)] * 30
