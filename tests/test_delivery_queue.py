"""One endpoint's queue: how far it takes ahead, what it gives back, and what one broken alert or attempt does to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from monitor import tracing
from monitor.settings import Telemetry
from monitor.settings.model import Deliveries
from monitor.store import Database, alerts, deliveries, endpoints, parse_filters
from monitor.times import rfc3339
from tests.delivering import Clock, logged, raise_claim, sender, state_of
from tests.one_database import store_url
from tests.receiver import Behaviour, Receiver, retry_after, status
from tests.standins.otlp_receiver import OtlpReceiver
from tests.test_store import NOW
from workers.deliver.queue import LEASE_MS, Queue
from workers.deliver.schedule import WAITS, Answer

__all__ = ["store_url"]

TAKEN = Answer(ms=1, status=204)


class Odd:
    """A channel that answers as the test says: by how many came before, an answer, an error, or None to keep waiting."""

    def __init__(self, answer: Callable[[int], Answer | Exception | None]) -> None:
        self.answer = answer
        self.ids: list[str] = []
        self.bodies: list[bytes] = []
        self.times: list[int] = []
        self.closed = False
        self._changed = asyncio.Condition()

    async def send(self, webhook_id: str, body: bytes, at_ms: int) -> Answer:
        async with self._changed:
            self.ids.append(webhook_id)
            self.bodies.append(body)
            self.times.append(at_ms)
            self._changed.notify_all()
        answer = self.answer(len(self.ids) - 1)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None
        return answer

    async def close(self) -> None:
        self.closed = True

    async def sent(self, number: int) -> None:
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: len(self.ids) >= number)


def queue_of(database: Database, clock: Clock, receiver: Receiver, channel: Odd, lines: int = 2, **more: Any) -> Queue:
    return Queue(database, receiver.endpoint(), channel, others=[], clock=clock, jitter=lambda: 1.0, lines=lines, **more)


async def next_due(database: Database) -> int | None:
    async with database.read() as connection:
        return await deliveries.next_due(connection, "hook")


async def stopped(queue: Queue, running: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    queue.wake()
    await asyncio.wait_for(running, 30)


@pytest.mark.parametrize(
    ("answer", "lines", "ahead"),
    [
        (Answer(ms=100, status=204), 2, True),
        (Answer(ms=101, status=204), 2, False),
        (Answer(ms=1, error="no connection"), 2, False),
        (Answer(ms=1, status=204), 1, False),  # a chat's one line
    ],
)
async def test_only_for_a_quick_receiver_with_lines_is_more_taken_than_can_be_in_flight(
    database: Database, clock: Clock, receiver: Receiver, answer: Answer, lines: int, ahead: bool
) -> None:
    for n in range(3 * lines):
        await raise_claim(database, n)
    odd, stop = Odd(lambda n: answer if n < lines else None), asyncio.Event()
    queue = queue_of(database, clock, receiver, odd, lines)
    running = asyncio.create_task(queue.run(stop, 0.0))
    await odd.sent(2 * lines)
    assert await next_due(database) == (NOW + LEASE_MS if ahead else 0)
    await stopped(queue, running, stop)


async def test_what_was_taken_ahead_is_given_back_by_one_that_stops(database: Database, clock: Clock, receiver: Receiver) -> None:
    for n in range(12):
        await raise_claim(database, n)
    odd, stop = Odd(lambda n: TAKEN if n < 2 else None), asyncio.Event()
    queue = queue_of(database, clock, receiver, odd)
    running = asyncio.create_task(queue.run(stop, 0.0))
    await odd.sent(4)
    await stopped(queue, running, stop)
    assert sum(one.state == "delivered" for one in await logged(database)) == 2
    assert await sender(database, clock, receiver.endpoint()).flush() == 8, "at once"
    assert not {got.id for got in receiver.kept} & set(odd.ids)
    clock.now += LEASE_MS
    assert await sender(database, clock, receiver.endpoint()).flush() == 2, "what was in flight, after its lease"


@pytest.mark.parametrize(("waited", "sent"), [(LEASE_MS // 2, 12), (LEASE_MS // 2 + 1, 4)])
async def test_what_waited_for_half_its_lease_is_not_sent_any_more(
    database: Database, clock: Clock, receiver: Receiver, waited: int, sent: int
) -> None:
    for n in range(12):
        await raise_claim(database, n)

    def answer(n: int) -> Answer:
        if n == 3:
            clock.now += waited
        return TAKEN

    odd, stop = Odd(answer), asyncio.Event()
    queue = queue_of(database, clock, receiver, odd)
    running = asyncio.create_task(queue.run(stop, 20.0))
    await odd.sent(sent)
    await stopped(queue, running, stop)
    assert len(odd.ids) == sent
    clock.now = NOW + LEASE_MS
    assert await sender(database, clock, receiver.endpoint()).flush() == 12 - sent, "it is due again when that is over"


async def test_an_attempt_that_breaks_off_is_written_down_and_stops_no_other(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    for n in range(3):
        await raise_claim(database, n)
    told: list[str] = []
    odd = Odd(lambda n: RuntimeError("hush") if n == 0 else TAKEN)
    assert await queue_of(database, clock, receiver, odd, tried=told.append).flush() == 3
    first, *others = await logged(database)
    (attempt,) = first.attempts
    assert (first.state, attempt.status, attempt.ms) == ("pending", None, 0)
    assert attempt.error == "the event could not be built or sent (RuntimeError)"
    assert [one.state for one in others] == ["delivered"] * 2
    assert odd.times == [NOW] * 3
    assert set(told) == {"hook"}
    told.clear()
    assert await queue_of(database, clock, receiver, odd, tried=told.append).flush() == 0
    assert told == [], "nothing was tried"
    assert await next_due(database) == NOW + WAITS[0]


async def test_one_alert_that_cannot_be_read_stops_no_other(database: Database, clock: Clock, receiver: Receiver) -> None:
    for n in range(3):
        await raise_claim(database, n)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alert SET subject = '{' WHERE id = (SELECT min(id) FROM alert)"))
    sending = sender(database, clock, receiver.endpoint())
    assert await sending.flush() == 3
    assert {got.quote for got in receiver.kept} == {"claim 1", "claim 2"}
    broken, *others = await logged(database)
    assert (broken.state, [one.state for one in others]) == ("pending", ["delivered"] * 2)
    assert broken.attempts[0].error == "the event could not be built or sent (DecodeError)"
    async with database.write() as connection:
        await connection.execute(text("UPDATE alert SET subject = NULL"))
    clock.now += WAITS[0]
    assert await sending.flush() == 1
    assert receiver.kept[-1].quote == "claim 0"


async def reason_of(database: Database) -> str:
    async with database.read() as connection:
        return (await endpoints.reasons(connection))["hook"]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (status(500), "answered 500"),
        (retry_after(500, "600"), "answered 500"),
        (status(503), "answered 503"),
        (retry_after(503, "600"), f"answered 503, and asked to be left alone until {rfc3339(NOW + 600_000)}"),
        (status(410), "answered 410: the receiver wants no more"),
    ],
)
async def test_why_an_endpoint_fails_is_said_to_the_operator(
    database: Database, clock: Clock, receiver: Receiver, behaviour: Behaviour, reason: str
) -> None:
    receiver.script(behaviour)
    await raise_claim(database, 1)
    await sender(database, clock, receiver.endpoint()).flush()
    assert await reason_of(database) == reason


@pytest.mark.parametrize(("after", "state"), [(-1, "failing"), (0, "disabled")])
async def test_an_endpoint_is_disabled_when_it_failed_for_that_long_to_the_millisecond(
    database: Database, clock: Clock, receiver: Receiver, after: int, state: str
) -> None:
    receiver.always(status(500))
    await raise_claim(database, 1)
    sending = sender(database, clock, receiver.endpoint(), keep=Deliveries(disable_after="1h"))
    await sending.flush()
    assert (await state_of(database, receiver.endpoint()))[0] == "failing"
    clock.now += 3_600_000 + after
    await sending.flush()
    assert (await state_of(database, receiver.endpoint()))[0] == state
    if state == "disabled":
        assert await reason_of(database) == f"nothing has arrived there since {rfc3339(NOW)}; at last: answered 500"


async def test_each_time_that_an_endpoint_is_disabled_is_an_alert_of_its_own(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    async with Receiver(clock=clock) as desk:
        both = receiver.endpoint(), receiver.endpoint("desk", url=desk.url, events=["endpoint.disabled"])
        receiver.always(status(410))
        for n in range(2):
            await raise_claim(database, n)
            await sender(database, clock, *both).flush()
            await sender(database, clock, *both).flush()
            async with database.write() as connection:
                await endpoints.enable(connection, "hook")
            clock.now += 1
        assert [got.event["type"] for got in desk.kept] == ["endpoint.disabled"] * 2
        data = desk.kept[0].event["data"]["endpoint"]
        assert data == {"name": "hook", "kind": "webhook", "state": "disabled", "pending": 0, "dead": 1}
        assert len(receiver.kept) == 2, "and it is not told itself"
    async with database.read() as connection:
        raised = (await alerts.page(connection, parse_filters({}))).items
    said = [one.summary for one in raised if one.kind == "endpoint.disabled"]
    assert said == ["The endpoint hook is disabled: answered 410: the receiver wants no more."] * 2


async def test_a_delivery_has_a_span_that_says_which_and_how_it_went(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    receiver.script(status(500), status(204))
    for n in range(2):
        await raise_claim(database, n)
    async with OtlpReceiver() as otlp:
        traces = tracing.exporting(Telemetry(otlp=otlp.address), "test")
        traces.__enter__()
        try:
            sending = sender(database, clock, receiver.endpoint())
            await sending.flush()
            clock.now += WAITS[0]
            await sending.flush()
            async with Receiver(clock=clock) as closed:
                gone = closed.endpoint()
            await raise_claim(database, 2)
            await sender(database, clock, gone).flush()
        finally:
            await asyncio.to_thread(traces.__exit__, None, None, None)
        said = [
            {name.removeprefix("exowatch."): value for name, value in one.attributes.items()} for one in otlp.named("deliver")
        ]
        first, second, third = [one.alert_id for one in await logged(database)]
        mine = {(one["alert"], one["attempt"], one["http.response.status_code"]) for one in said if one["endpoint"] == "hook"}
        assert {(alert, code) for alert, attempt, code in mine if attempt == 1} in (
            {(first, 500), (second, 204), (third, 0)},
            {(first, 204), (second, 500), (third, 0)},
        )
        assert [(attempt, code) for _, attempt, code in mine if attempt != 1] == [(2, 204)]
        assert len({one.trace for one in otlp.named("deliver")}) == 3, "each post has a trace of its own"
        (two, one, last) = [span.attributes for span in sorted(otlp.named("take deliveries"), key=lambda span: span.began)]
        assert [span["exowatch.deliveries"] for span in (two, one, last)] == [2, 1, 1]
        assert {span["exowatch.endpoint"] for span in (two, one, last)} == {"hook"}
