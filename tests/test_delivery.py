"""From an alert in the record to a receiver: signed, in order, once where it can be, again where it must."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from prometheus_client.samples import Sample

from monitor import telemetry
from monitor.settings import Settings
from monitor.settings.model import Endpoint
from monitor.store import Database, alerts, deliveries, endpoints, parse_filters, record
from monitor.store.deliveries import Tried
from monitor.store.record import AlertDraft
from monitor.words import Delivery, claim_id_of, parse_time, stored_id
from tests.receiver import (
    OTHER_SECRET,
    SECRET,
    Receiver,
    endless_body,
    held,
    redirect,
    reset,
    retry_after,
    slow_body,
    status,
)
from tests.test_store import NOW, carries, judged, post, write
from workers.deliver.queue import IN_FLIGHT, LEASE_MS, Queue
from workers.deliver.schedule import WAITS, Answer
from workers.deliver.sender import Sender


class Clock:
    """Virtual time, in ms."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def receiver(clock: Clock) -> AsyncIterator[Receiver]:
    async with Receiver(clock=clock) as receiver:
        yield receiver


def sender(database: Database, clock: Clock, *configured: Endpoint, **more: Any) -> Sender:
    return Sender(database, configured, clock=clock, jitter=lambda: 1.0, **more)


async def raise_claim(database: Database, n: int, *names: str) -> None:
    """A `claim.new` of claim number n, for the endpoints of these names."""
    text = f"claim {n}"
    await write(database, judged(n, post(str(n), text), carries(text, text, f"claim-{n}"), endpoints=names or ("hook",)))


async def raise_more(database: Database, n: int, kind: Any, *names: str) -> None:
    """Another alert about claim number n."""
    draft = AlertDraft(kind=kind, dedupe_key=f"{kind}:{n}", summary=kind, endpoints=names or ("hook",), occurrence=0)
    async with database.write() as connection:
        (raised,) = (await alerts.page(connection, parse_filters({"claim": [claim_id_of(f"claim-{n}")], "limit": ["1"]}))).items
        assert raised.mention_id is not None
        await record.raise_alerts(connection, [(draft, raised.claim_id, stored_id("m", raised.mention_id))])


async def logged(database: Database, **more: Any) -> list[Delivery]:
    """All deliveries, the oldest first."""
    async with database.read() as connection:
        page = await deliveries.page(connection, parse_filters({}), **more)
    return page.items[::-1]


async def state_of(database: Database, endpoint: Endpoint) -> tuple[str, int, int]:
    async with database.read() as connection:
        (found,) = await endpoints.endpoint_statuses(connection, [endpoint])
    return found.state, found.pending, found.dead


def number_of(delivery: Delivery) -> int:
    number = stored_id("d", delivery.id)
    assert number is not None
    return number


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


async def test_a_redirect_is_a_failure_and_not_followed(database: Database, clock: Clock, receiver: Receiver) -> None:
    async with Receiver(clock=clock) as inside:
        receiver.script(*(redirect(code, inside.url) for code in (301, 302, 303, 307, 308)))
        await raise_claim(database, 1)
        sending = sender(database, clock, receiver.endpoint())
        for wait in WAITS[:5]:
            assert await sending.flush() == 1
            clock.now += wait
        (delivery,) = await logged(database)
        assert [attempt.status for attempt in delivery.attempts] == [301, 302, 303, 307, 308]
        assert "never followed" in (delivery.attempts[0].error or "")
        assert (delivery.state, inside.kept) == ("pending", [])


async def test_a_slow_endpoint_holds_up_no_other(database: Database, clock: Clock, receiver: Receiver) -> None:
    release, stop = asyncio.Event(), asyncio.Event()
    async with Receiver(clock=clock) as slow:
        slow.always(held(release))
        sending = sender(database, clock, receiver.endpoint("slow", url=slow.url), receiver.endpoint())
        running = asyncio.create_task(sending.run(stop))
        for n in range(IN_FLIGHT + 4):
            await raise_claim(database, n, "slow", "hook")
            sending.wake()
        await slow.got(IN_FLIGHT)
        await receiver.got(IN_FLIGHT + 4)
        assert len(slow.kept) == IN_FLIGHT, "no more than that at a time"
        async with database.read() as connection:
            assert await deliveries.next_due(connection, "slow") == 0, (
                "and no more are taken, so that their leases do not run out"
            )
        assert not release.is_set()
        release.set()
        await slow.got(IN_FLIGHT + 4)
        stop.set()
        await running
    assert {one.state for one in await logged(database)} == {"delivered"}
    assert len({got.id for got in slow.kept}) == len(slow.kept)


async def test_a_name_server_that_does_not_answer_holds_up_no_other_endpoint(
    database: Database, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked, resolve = threading.Event(), threading.Event(), socket.getaddrinfo

    def silent(host: Any, *arguments: Any, **more: Any) -> Any:
        if host != "lost.example":
            return resolve(host, *arguments, **more)
        asked.set()
        answers.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    stop, number = asyncio.Event(), 64  # more than all threads that asyncio shares out
    lost = [receiver.endpoint(f"lost-{n}", url=f"http://lost.example:{receiver.port}/") for n in range(number // IN_FLIGHT)]
    named = receiver.endpoint(url=f"http://localhost:{receiver.port}/hook")
    sending = sender(database, clock, *lost, named, grace_s=0)
    for n in range(IN_FLIGHT):
        await raise_claim(database, n, *(one.name for one in lost))
    running = asyncio.create_task(sending.run(stop))
    while not asked.is_set():
        await asyncio.sleep(0)
    await raise_claim(database, 100)
    sending.wake()
    (got,) = await receiver.got(1)
    assert got.quote == "claim 100"
    stop.set()
    await running
    answers.set()


async def test_senders_at_the_same_time_send_each_delivery_once(
    database: Database, store_url: str, clock: Clock, receiver: Receiver
) -> None:
    number, stop = 40, asyncio.Event()
    other_process = Database(Settings(store={"url": store_url}).sqlalchemy_url)  # connections of its own
    senders = [sender(one, clock, receiver.endpoint()) for one in (database, other_process)]
    running = [asyncio.create_task(one.run(stop)) for one in senders]
    for n in range(number):
        await raise_claim(database, n)
        for one in senders:
            one.wake()
    await receiver.got(number)
    stop.set()
    await asyncio.gather(*running)
    await other_process.close()
    assert len({got.id for got in receiver.kept}) == len(receiver.kept) == number
    assert [len(one.attempts) for one in await logged(database)] == [1] * number


_CHILD = """
import asyncio, sys
from monitor.settings import Settings
from monitor.settings.model import Endpoint
from monitor.store import Database
from workers.deliver.sender import Sender

async def main():
    database = Database(Settings(store={"url": sys.argv[1]}).sqlalchemy_url)
    endpoint = Endpoint(name="hook", kind="webhook", url=sys.argv[2], secret=sys.argv[3], allow_private=True)
    await Sender(database, [endpoint], clock=lambda: int(sys.argv[4])).run(asyncio.Event())

asyncio.run(main())
"""


async def test_what_a_killed_sender_had_in_hand_is_sent_by_another(
    database: Database, store_url: str, clock: Clock, receiver: Receiver
) -> None:
    never = asyncio.Event()
    receiver.script(held(never), held(never))
    for n in range(2):
        await raise_claim(database, n)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", _CHILD, store_url, receiver.url, SECRET, str(NOW))
    try:
        await receiver.got(2)
    finally:
        child.send_signal(signal.SIGKILL)
        await child.wait()
    sending = sender(database, clock, receiver.endpoint())
    clock.now += LEASE_MS - 1
    assert await sending.flush() == 0, "the lease still holds"
    clock.now += 1
    assert await sending.flush() == 2
    assert sorted(got.id for got in receiver.kept[:2]) == sorted(got.id for got in receiver.kept[2:])
    assert {one.state for one in await logged(database)} == {"delivered"}


async def test_a_sender_whose_lease_ran_out_no_longer_decides(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_claim(database, 1)
    async with database.write() as connection:
        (slow,) = await deliveries.lease_due(connection, "hook", NOW, 8, LEASE_MS)
        assert await deliveries.lease_due(connection, "hook", NOW, 8, LEASE_MS) == []
        assert await deliveries.next_due(connection, "hook") == NOW + LEASE_MS
    clock.now += LEASE_MS
    await sender(database, clock, receiver.endpoint()).flush()
    async with database.write() as connection:
        await deliveries.settle(connection, slow, Tried(at_ms=NOW, ms=5, error="no answer"), "pending", NOW)
    (delivery,) = await logged(database)
    assert (delivery.state, [attempt.status for attempt in delivery.attempts]) == ("delivered", [204, None])


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


async def test_one_endpoints_trouble_does_not_hold_up_a_claim_at_another(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    await raise_claim(database, 1, "broken", "hook")
    await raise_more(database, 1, "claim.spreading", "broken", "hook")
    async with Receiver(clock=clock) as broken:
        broken.always(status(500))
        await sender(database, clock, receiver.endpoint("broken", url=broken.url), receiver.endpoint()).flush()
        assert [got.event["type"] for got in receiver.kept] == ["claim.new", "claim.spreading"]
        assert [got.event["type"] for got in broken.kept] == ["claim.new"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.1:{port}/hook?token=hush", "not a public address"),
        ("https://[::ffff:127.0.0.1]:{port}/hook?token=hush", "not a public address"),
        ("https://localhost:{port}/hook?token=hush", "resolves to an address that is not public"),
        ("https://2130706433:{port}/hook?token=hush", "not written as a host"),
        ("http://example.org:{port}/hook?token=hush", "use https://"),
    ],
)
async def test_a_private_address_and_plain_http_are_refused(
    database: Database, clock: Clock, receiver: Receiver, url: str, said: str
) -> None:
    await raise_claim(database, 1)
    refused = receiver.endpoint(url=url.format(port=receiver.port), allow_private=False)
    with structlog.testing.capture_logs() as logs:
        await sender(database, clock, refused).flush()
    (delivery,) = await logged(database)
    (attempt,) = delivery.attempts
    assert (delivery.state, attempt.status, receiver.kept) == ("pending", None, [])
    assert said in (attempt.error or "")
    assert "hush" not in str(logs) + str(attempt)


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


async def test_the_proxy_of_the_environment_is_not_used(
    database: Database, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await raise_claim(database, 1)
    await sender(database, clock, receiver.endpoint()).flush()
    assert len(receiver.kept) == 1


async def test_cookies_are_not_kept(database: Database, clock: Clock, receiver: Receiver) -> None:
    receiver.always(status(204, Set_Cookie="a=b"))
    for n in range(IN_FLIGHT + 1):
        await raise_claim(database, n)
    await sender(database, clock, receiver.endpoint()).flush()
    assert len(receiver.kept) == IN_FLIGHT + 1
    assert not any("cookie" in got.headers for got in receiver.kept)


async def test_an_answer_that_comes_too_late_is_a_failure_and_repeated_under_the_same_id(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    release = asyncio.Event()
    receiver.script(held(release))
    await raise_claim(database, 1)
    sending = sender(database, clock, receiver.endpoint(), timeout_s=0.2)
    await sending.flush()
    release.set()
    clock.now += WAITS[0]
    await sending.flush()
    (delivery,) = await logged(database)
    assert [attempt.error for attempt in delivery.attempts] == ["no answer within 0.2 s", None]
    assert [got.id for got in receiver.kept] == [delivery.webhook_id] * 2


async def test_once_the_status_is_here_a_body_that_never_ends_changes_nothing(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    never, written = asyncio.Event(), list[int]()
    receiver.script(slow_body(never), endless_body(written), endless_body(written, 500))
    for n in range(3):
        await raise_claim(database, n)
        await sender(database, clock, receiver.endpoint(), timeout_s=0.5).flush()
    first, second, third = await logged(database)
    assert (first.state, first.attempts[0].answer) == ("delivered", "the beginning")
    assert (second.state, second.attempts[0].answer) == ("delivered", "x" * 1024)
    assert (third.state, third.attempts[0].status, third.attempts[0].answer) == ("pending", 500, "x" * 1024)
    assert third.attempts[0].ms < 400, "it hung up and did not read until the time was over"
    never.set()


async def test_a_connection_that_is_cut_or_refused_is_a_failure_in_words(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    receiver.script(reset())
    await raise_claim(database, 1, "hook", "closed")
    closed = receiver.endpoint("closed", url="http://127.0.0.1:9/")
    await sender(database, clock, receiver.endpoint(), closed).flush()
    errors = {one.endpoint: one.attempts[0].error for one in await logged(database)}
    assert errors["hook"] == "the connection was closed before an answer came"
    assert (errors["closed"] or "").startswith("no connection to 127.0.0.1: ")


async def test_attempts_are_counted_and_first_deliveries_timed(database: Database, clock: Clock, receiver: Receiver) -> None:
    def samples() -> dict[tuple[str, str], float]:
        found: list[Sample] = [one for metric in telemetry.delivery_attempts.collect() for one in metric.samples]
        return {(one.labels["endpoint"], one.labels["outcome"]): one.value for one in found if one.name.endswith("_total")}

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
    after = {key: value - counted.get(key, 0) for key, value in samples().items() if key[0] == "counted"}
    assert after == {("counted", "failed"): 1, ("counted", "delivered"): 2}
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


async def test_when_told_to_stop_it_finishes_what_is_in_flight(database: Database, clock: Clock, receiver: Receiver) -> None:
    release, stop = asyncio.Event(), asyncio.Event()
    receiver.script(held(release))
    await raise_claim(database, 1)
    running = asyncio.create_task(sender(database, clock, receiver.endpoint()).run(stop))
    await receiver.got(1)
    stop.set()
    await raise_claim(database, 2)
    release.set()
    await running
    assert [one.state for one in await logged(database)] == ["delivered", "pending"]


async def test_what_does_not_finish_in_time_is_left_to_its_lease(database: Database, clock: Clock, receiver: Receiver) -> None:
    never, stop = asyncio.Event(), asyncio.Event()
    receiver.script(held(never))
    await raise_claim(database, 1)
    running = asyncio.create_task(sender(database, clock, receiver.endpoint(), grace_s=0.05).run(stop))
    await receiver.got(1)
    stop.set()
    await running
    clock.now += LEASE_MS
    assert await sender(database, clock, receiver.endpoint()).flush() == 1


async def test_an_attempt_that_cannot_be_written_down_does_not_stop_the_queue(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    class Odd:
        """A channel whose first answer is text that no database takes."""

        def __init__(self) -> None:
            self.ids: list[str] = []
            self.sent = asyncio.Event()

        async def send(self, webhook_id: str, body: bytes, at_ms: int) -> Answer:
            assert (body[:1], at_ms) == (b"{", clock())
            self.ids.append(webhook_id)
            self.sent.set()
            return Answer(ms=1, status=200, text="\ud800" if len(self.ids) == 1 else "")

        async def close(self) -> None:
            pass

    await raise_claim(database, 1)
    odd, stop = Odd(), asyncio.Event()
    queue = Queue(database, receiver.endpoint(), odd, others=[], clock=clock, jitter=lambda: 1.0)
    running = asyncio.create_task(queue.run(stop, 1.0))
    await odd.sent.wait()
    odd.sent.clear()
    clock.now += LEASE_MS
    async with asyncio.timeout(20):
        await odd.sent.wait()
    stop.set()
    queue.wake()
    await running
    (delivery,) = await logged(database)
    assert (delivery.state, odd.ids) == ("delivered", [delivery.webhook_id] * 2)


async def test_a_database_that_is_away_is_waited_for_and_told_once(clock: Clock, receiver: Receiver, tmp_path: Any) -> None:
    away = Database(Settings(store={"url": f"postgresql://nobody@/none?host={tmp_path}"}).sqlalchemy_url)
    stop = asyncio.Event()
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(sender(away, clock, receiver.endpoint()).run(stop))
        async with asyncio.timeout(10):
            while not logs:
                await asyncio.sleep(0.01)
        stop.set()
        await running
    await away.close()
    assert [entry["event"] for entry in logs] == ["waiting for the database"]
