"""What goes wrong on the way to a receiver: it stays that endpoint's trouble, nothing is lost, nothing goes where it must not."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from typing import Any

import pytest
import structlog

from monitor.settings import Endpoint, Settings
from monitor.store import Database, deliveries
from monitor.store.deliveries import Tried
from tests.delivering import Clock, logged, raise_claim, raise_more, sender
from tests.receiver import (
    SECRET,
    Receiver,
    endless_body,
    held,
    redirect,
    reset,
    slow_body,
    status,
)
from tests.test_store import NOW
from workers.deliver.queue import IN_FLIGHT, LEASE_MS, Queue
from workers.deliver.schedule import WAITS, Answer


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


CHILD = """
import asyncio, sys
from monitor.settings import Endpoint, Settings
from monitor.settings.endpoint import Endpoint
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
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, store_url, receiver.url, SECRET, str(NOW))
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


async def test_a_name_whose_answer_changes_leads_no_attempt_inside(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every attempt looks the name up once, and connects to what it has checked."""
    looks = [["8.8.8.8"], ["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["64:ff9b:1::7f00:1"]]
    asked, resolve = list[list[str]](), socket.getaddrinfo

    def changing(host: Any, port: Any, *arguments: Any, **more: Any) -> Any:
        if host != "changing.example":
            return resolve(host, port, *arguments, **more)
        asked.append(looks[len(asked)] if len(asked) < len(looks) else ["127.0.0.1"])
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(kinds[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in asked[-1]]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0)
        url = f"https://changing.example:{inside.getsockname()[1]}/hush"
        endpoint = Endpoint(name="hook", kind="webhook", url=url, secret=[SECRET])
        sending = sender(database, clock, endpoint, timeout_s=0.5)
        await raise_claim(database, 1)
        for wait in WAITS[: len(looks)]:
            assert await sending.flush() == 1
            clock.now += wait
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert asked == looks, "one look an attempt"
    (delivery,) = await logged(database)
    first, *others = [attempt.error or "" for attempt in delivery.attempts]
    assert delivery.state == "pending"
    assert first.startswith(("no answer within", "no connection to"))  # the public address was tried, and is not here
    refused = "changing.example resolves to an address that is not public; set allow_private = true if that is meant"
    assert others == [refused] * 4


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
