"""One endpoint's queue: takes what is due from the database, sends it, writes down what came of it.

The database is the queue. A wake-up only makes it look earlier than it would by itself, so a lost one costs a second, no more.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from monitor import telemetry
from monitor.events import Event, load_events
from monitor.settings.model import Endpoint
from monitor.store import Connection, Database, StoreUnavailable, deliveries, endpoints
from monitor.store.deliveries import Due, Tried
from monitor.store.outbox import AlertDraft, raise_alerts
from monitor.store.recipients import recipients
from monitor.words import EndpointStatus, public_id
from workers.deliver import schedule
from workers.deliver.schedule import Answer, Outcome

log = structlog.get_logger()

IN_FLIGHT = 8
# Taken at once while the receiver is quick: one transaction then serves many deliveries. A slow one is given no more than can be
# in flight, so that nothing waits here while its lease runs out.
AHEAD = 64
QUICK_MS = 200
GATHER_S = 0.003  # how long what has landed waits for more, to be written down together
LEASE_MS = 30_000  # an attempt takes 15 s at most; what a killed sender had in hand is due again after this
POLL_S = 1.0  # how late an alert can be whose wake-up was lost
TROUBLE_S = 1.0  # pause while the database is away


class Channel(Protocol):
    """The way to one endpoint."""

    async def send(self, webhook_id: str, body: bytes, at_ms: int) -> Answer:
        """One attempt, at `at_ms`. Never raises for what the other side does."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is over and not yet written down."""

    due: Due
    tried: Tried
    result: Outcome

    @property
    def delivered(self) -> bool:
        return self.result.state == "delivered"


class Queue:
    """Sends one endpoint's deliveries, `IN_FLIGHT` at a time, until it is told to stop."""

    def __init__(
        self,
        database: Database,
        endpoint: Endpoint,
        channel: Channel,
        *,
        others: Sequence[Endpoint],
        clock: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        self._database = database
        self._endpoint = endpoint
        self._channel = channel
        self._others = others  # those that are told when this one is disabled
        self._clock = clock
        self._jitter = jitter
        self._look = asyncio.Event()
        self._flying: set[asyncio.Task[None]] = set()
        self._lines = asyncio.Semaphore(IN_FLIGHT)
        self._quick = False
        self._landed: list[Landed] = []
        self._database_away = False
        self._log = log.bind(endpoint=endpoint.name)

    def wake(self) -> None:
        """Makes it look at the database now."""
        self._look.set()

    async def run(self, stop: asyncio.Event, grace_s: float) -> None:
        """Sends until `stop` is set (then call `wake`); what is in flight has `grace_s` seconds more, else its lease runs out."""
        try:
            while not stop.is_set():
                self._look.clear()
                pause = await self._step()
                try:
                    async with asyncio.timeout(pause):
                        await self._look.wait()
                except TimeoutError:
                    pass
            if self._flying:
                await asyncio.wait(self._flying, timeout=grace_s)
        finally:
            late = tuple(self._flying)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            await self._write_down_the_last()

    async def flush(self) -> int:
        """Sends all that is due now and waits until it is written down; how many attempts were made. Raises StoreUnavailable."""
        attempts = 0
        while taken := (await self._exchange(IN_FLIGHT))[0]:
            attempts += len(taken)
            events = await self._events(taken)
            await asyncio.gather(*(self._attempt(due, events.get(due.alert_id)) for due in taken))
        return attempts

    async def _step(self) -> float:
        """Writes down what has landed and starts what is due, as far as there is room; the seconds until the next look."""
        room = max(0, (AHEAD if self._quick else IN_FLIGHT) - len(self._flying))
        try:
            due_ms = await self._next_due()
            if self._landed or (room and due_ms is not None and due_ms <= self._clock()):
                taken, due_ms = await self._exchange(room)
                events = await self._events(taken)
                for due in taken:
                    self._start(due, events.get(due.alert_id))
        except StoreUnavailable as error:
            if not self._database_away:
                self._log.warning("waiting for the database", error=str(error))
            self._database_away = True
            return TROUBLE_S
        except Exception as error:  # whatever it is, it must stay this endpoint's trouble
            self._log.error("looking for deliveries failed", exc_info=error)
            # What cannot be written down must not stop the queue for ever: when its lease is over it is due again.
            self._landed = [one for one in self._landed if one.due.lease_until > self._clock()]
            return TROUBLE_S
        if self._database_away:
            self._log.info("the database is back")
        self._database_away = False
        wait_ms = None if due_ms is None else due_ms - self._clock()
        return POLL_S if wait_ms is None or wait_ms <= 0 else min(POLL_S, wait_ms / 1000)

    async def _next_due(self) -> int | None:
        if self._landed:
            return None  # there is something to write anyway, and that transaction looks too
        async with self._database.read() as connection:
            return await deliveries.next_due(connection, self._endpoint.name)

    async def _exchange(self, room: int) -> tuple[list[Due], int | None]:
        """In one transaction: writes down what has landed, takes up to `room` of what is due, and says when the next is."""
        landed, name = self._landed[:], self._endpoint.name
        taken: list[Due] = []
        async with self._database.write() as connection:
            for delivered, group in itertools.groupby(landed, key=lambda one: one.delivered):
                if delivered:
                    await self._settle_delivered(connection, list(group))
                else:
                    for one in group:
                        await self._settle_failed(connection, one)
            if await endpoints.is_disabled(connection, name):
                buried = await deliveries.bury(connection, name)
                if buried:
                    self._log.warning("deliveries to a disabled endpoint are not sent", dead=buried)
            elif room:
                taken = await deliveries.lease_due(connection, name, self._clock(), room, LEASE_MS)
            due_ms = await deliveries.next_due(connection, name)
        # Only now that it is committed: what could not be written down is still there to be written next time.
        del self._landed[: len(landed)]
        return taken, due_ms

    async def _settle_delivered(self, connection: Connection, landed: Sequence[Landed]) -> None:
        # The endpoint's row first, always: two transactions that take rows in different orders can wait for each other.
        await endpoints.succeeded(connection, self._endpoint.name, landed[-1].tried.at_ms)
        await deliveries.settle_delivered(connection, [(one.due, one.tried) for one in landed])

    async def _settle_failed(self, connection: Connection, one: Landed) -> None:
        name, tried = self._endpoint.name, one.tried
        newly_disabled = False
        if tried.status == schedule.GONE:
            newly_disabled = await endpoints.disable(connection, name, tried.error or "")
        else:
            await endpoints.failed(connection, name, tried.error or "")
        await deliveries.settle(connection, one.due, tried, one.result.state, one.result.next_ms)
        if newly_disabled:
            self._log.warning("endpoint disabled", reason=tried.error)
            await deliveries.bury(connection, name)
            (status,) = await endpoints.endpoint_statuses(connection, [self._endpoint])
            await raise_alerts(connection, [(self._disabled(status, tried), None, None)])

    async def _events(self, taken: list[Due]) -> dict[int, Event]:
        """The events of these deliveries by alert; none where that fails, and each is then tried by itself."""
        if not taken:
            return {}
        try:
            async with self._database.read() as connection:
                return await load_events(connection, [due.alert_id for due in taken])
        except Exception as error:  # whatever it is, it may be about one of them only
            self._log.warning("events could not be read together", error=f"{type(error).__name__}: {error}")
            return {}

    def _start(self, due: Due, event: Event | None) -> None:
        task = asyncio.create_task(self._attempt(due, event))
        self._flying.add(task)
        task.add_done_callback(self._flying.discard)
        task.add_done_callback(lambda _: self._look_soon())  # to write it down; and perhaps the claim's next is free to go

    def _look_soon(self) -> None:
        if not self._flying:
            self._look.set()
        elif len(self._landed) == 1:
            asyncio.get_running_loop().call_later(GATHER_S, self._look.set)

    async def _attempt(self, due: Due, event: Event | None) -> None:
        """One attempt, when a line is free. One that waited for so long that its lease could run out meanwhile is not made."""
        async with self._lines:
            if due.lease_until - self._clock() >= LEASE_MS // 2:
                await self._attempt_now(due, event)

    async def _attempt_now(self, due: Due, event: Event | None) -> None:
        """One attempt. Where the record cannot be read nothing is sent: the lease runs out and the delivery is due again."""
        at_ms = self._clock()
        try:
            if event is None:
                async with self._database.read() as connection:
                    event = (await load_events(connection, [due.alert_id]))[due.alert_id]
            answer = await self._channel.send(due.webhook_id, event.body, at_ms)
        except StoreUnavailable:
            return
        except Exception as error:  # a bug about one alert must not be tried for ever, nor stop the others
            self._log.error("the event could not be built or sent", alert=public_id("a", due.alert_id), exc_info=error)
            answer = Answer(ms=0, error=f"the event could not be built or sent ({type(error).__name__})")
        result = schedule.outcome(answer, due.tries, self._clock(), self._jitter())
        tried = Tried(at_ms=at_ms, ms=answer.ms, status=answer.status, error=answer.error, answer=answer.text)
        self._quick = answer.status is not None and answer.ms <= QUICK_MS
        self._landed.append(Landed(due=due, tried=tried, result=result))
        self._tell(due, event, answer, result)

    async def _write_down_the_last(self) -> None:
        if not self._landed:
            return
        try:
            await self._exchange(0)
        except StoreUnavailable as error:
            self._log.warning("attempts could not be written down, they are made again", error=str(error))

    def _disabled(self, status: EndpointStatus, tried: Tried) -> AlertDraft:
        return AlertDraft(
            kind="endpoint.disabled",
            dedupe_key=f"endpoint.disabled:{self._endpoint.name}:{tried.at_ms}",
            summary=f"The endpoint {self._endpoint.name} is disabled: {tried.error}.",
            recipients=recipients(self._others, "endpoint.disabled", None, None),
            subject={"endpoint": msgspec.to_builtins(status)},
        )

    def _tell(self, due: Due, event: Event | None, answer: Answer, result: Outcome) -> None:
        """Log and metrics of one attempt. Names and ids only: an address can hold a secret."""
        told = self._log.bind(
            delivery=public_id("d", due.id),
            alert=public_id("a", due.alert_id),
            mention=event and event.alert.mention_id,
            kind=event and event.alert.kind,
            attempt=due.attempts + 1,
            status=answer.status,
            ms=answer.ms,
        )
        outcome = "delivered" if result.state == "delivered" else "dead" if result.state == "dead" else "failed"
        telemetry.delivery_attempts.labels(self._endpoint.name, outcome).inc()
        if due.tries:
            telemetry.retried_deliveries.labels(self._endpoint.name).inc()
        if result.state != "delivered":
            telemetry.delivery_errors.labels(self._endpoint.name).inc()
        if result.state == "delivered":
            telemetry.delivered.labels(self._endpoint.name).inc()
            told.info("alert delivered")
            if event and due.attempts == due.tries:  # not one that was sent again by hand, perhaps days later
                telemetry.delivery_seconds.observe(max(0, self._clock() - event.created_ms) / 1000)
        elif result.state == "dead":
            told.error("delivery given up", error=answer.error)
        else:
            wait_s = round((result.next_ms - self._clock()) / 1000, 1)
            told.warning("delivery failed, it is tried again", error=answer.error, wait_s=wait_s)
