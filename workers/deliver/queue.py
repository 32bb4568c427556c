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

from monitor import tracing
from monitor.events import Event, Form, load_events
from monitor.ids import public_id
from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Deliveries
from monitor.settings.timing import quiet_until
from monitor.store import Connection, Database, StoreUnavailable, deliveries, endpoints
from monitor.store.deliveries import Due, Tried
from monitor.store.outbox import AlertDraft, raise_alerts
from monitor.store.recipients import recipients
from monitor.times import rfc3339
from monitor.watchdog import Pulse
from monitor.words import EndpointStatus
from workers.deliver import pace, schedule
from workers.deliver.lines import Lines
from workers.deliver.logbook import Logbook
from workers.deliver.schedule import Answer, Outcome

log = structlog.get_logger()

IN_FLIGHT = 8
# Taken at once while the receiver is quick: one transaction then serves many deliveries. A slow one is given no more than can be
# in flight, so that nothing waits here while its lease runs out.
AHEAD = 256
QUICK_MS = 100
# How long what has landed waits for more, to be written down together: only the log and a claim's next alert wait for it.
GATHER_S = 0.05
GATHER = AHEAD // 2  # and how much of it is enough
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
    """Sends one endpoint's deliveries, `lines` at a time, until it is told to stop."""

    def __init__(
        self,
        database: Database,
        endpoint: Endpoint,
        channel: Channel,
        *,
        others: Sequence[Endpoint],
        tried: Callable[[str], None] = lambda _: None,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        disable_after_s: float = Deliveries().disable_after,
        lines: int = IN_FLIGHT,
    ) -> None:
        self._database = database
        self._endpoint = endpoint
        self._channel = channel
        self._others = others  # those that are told when this one is disabled
        self._tried = tried  # told this endpoint's name when attempts are written down
        self._clock = clock
        self._jitter = jitter
        self._disable_after_ms = round(disable_after_s * 1000)
        self._form = Form(cloudevents=endpoint.format == "cloudevents", thin=endpoint.thin)
        self._rate = pace.rate_of(endpoint)
        self._free_ms = 0  # with a rate: before then nothing may go out
        self._held_ms = 0  # as the record has it: before then the receiver wants nothing
        self._look = asyncio.Event()
        self._lines = Lines(lines, self._attempt, self._look_soon)
        self._quick = False
        self._landed: list[Landed] = []
        self._back: list[Due] = []  # taken, and not to be sent now
        self._database_away = False
        self._logbook = Logbook(endpoint.name, clock)
        self._log = log.bind(endpoint=endpoint.name)

    def wake(self) -> None:
        """Makes it look at the database now."""
        self._look.set()

    async def run(self, stop: asyncio.Event, grace_s: float) -> None:
        """Sends until `stop` is set (then call `wake`); what is in flight has `grace_s` seconds more, else its lease runs out."""
        try:
            with Pulse(f"deliver {self._endpoint.name}") as pulse:
                while not stop.is_set():
                    pulse.beat()
                    self._look.clear()
                    pause = await self._step()
                    try:
                        async with asyncio.timeout(pause):
                            await self._look.wait()
                    except TimeoutError:
                        pass
            try:
                async with asyncio.timeout(grace_s):
                    await self._lines.idle()
            except TimeoutError:
                pass
        finally:
            self._back += self._lines.take_back()
            await self._lines.cancel()
            await self._write_down_the_last()

    async def flush(self) -> int:
        """Sends all that is due now and waits until it is written down; how many attempts were made. Raises StoreUnavailable."""
        attempts = 0
        while taken := (await self._exchange(self._lines.most))[0]:
            self._hand_over(taken, await self._events(taken))
            await self._lines.idle()
            attempts += len(taken) - len(self._back)
        return attempts

    async def _step(self) -> float:
        """Writes down what has landed and starts what is due, as far as there is room; the seconds until the next look."""
        room = max(0, (AHEAD if self._quick and self._lines.most > 1 else self._lines.most) - self._lines.in_hand)
        asked_ms = self._clock()
        try:
            due_ms = await self._next_due()
            held_ms = self._held_until(asked_ms)
            if held_ms is not None:
                room, due_ms = 0, None if due_ms is None else max(due_ms, held_ms)
            if self._landed or self._back or (room and due_ms is not None and due_ms <= self._clock()):
                taken, due_ms = await self._exchange(room)
                self._hand_over(taken, await self._events(taken))
        except StoreUnavailable as error:
            if not self._database_away:
                self._log.warning("waiting for the database", error=str(error))
            self._database_away = True
            return TROUBLE_S
        except Exception as error:  # whatever it is, it must stay this endpoint's trouble
            self._log.error("looking for deliveries failed", exc_info=error)
            # What cannot be written down must not stop the queue for ever: when its lease is over it is due again.
            self._landed = [one for one in self._landed if one.due.lease_until > self._clock()]
            self._back = [due for due in self._back if due.lease_until > self._clock()]
            return TROUBLE_S
        if self._database_away:
            self._log.info("the database is back")
        self._database_away = False
        if due_ms is None or due_ms <= asked_ms:  # nothing, or no room for it: what is in hand wakes this when it has landed
            return POLL_S
        return min(POLL_S, max(0, due_ms - self._clock()) / 1000)

    async def _next_due(self) -> int | None:
        if self._landed or self._back:
            return None  # there is something to write anyway, and that transaction looks too
        async with self._database.read() as connection:
            if self._held_ms > self._clock():
                self._held_ms = (await endpoints.standing(connection, self._endpoint.name)).held_until_ms
            return await deliveries.next_due(connection, self._endpoint.name)

    async def _exchange(self, room: int) -> tuple[list[Due], int | None]:
        """In one transaction: writes down what has landed, takes up to `room` of what is due, and says when the next is."""
        landed, back, name, asked_ms = self._landed[:], self._back[:], self._endpoint.name, self._clock()
        taken: list[Due] = []
        async with self._database.write() as connection:
            for delivered, group in itertools.groupby(landed, key=lambda one: one.delivered):
                if delivered:
                    await self._settle_delivered(connection, list(group))
                else:
                    for one in group:
                        await self._settle_failed(connection, one)
            await deliveries.give_back(connection, back, self._clock())
            standing = await endpoints.standing(connection, name)
            self._held_ms = standing.held_until_ms
            if standing.disabled:
                buried = await deliveries.bury(connection, name)
                if buried:
                    self._log.warning("deliveries to a disabled endpoint are not sent", dead=buried)
            elif room and self._held_until(self._clock()) is None:
                taken = await self._take(connection, room)
            due_ms = await deliveries.next_due(connection, name)
        # Only now that it is committed: what could not be written down is still there to be written next time.
        del self._landed[: len(landed)], self._back[: len(back)]
        if landed:
            self._tried(name)
        if self._is_held():  # by another sender, perhaps: what is in hand here must not go out either
            self._back += self._lines.take_back()
        held_ms = self._held_until(asked_ms)  # what ended while this lasted may have kept something back
        return taken, due_ms if due_ms is None or held_ms is None else max(due_ms, held_ms)

    def _held_until(self, now: int) -> int | None:
        """When something may be sent again (ms), where quiet hours, the rate or the receiver's own word forbid it at `now`."""
        until = max(quiet_until(self._endpoint.quiet, now) or 0, self._free_ms, self._asked_until())
        return until if until > now else None

    def _asked_until(self) -> int:
        """Until when the receiver asked to be left alone (ms): as the record has it, and as it said since."""
        return max(self._held_ms, *(one.result.hold_ms for one in self._landed), 0)

    def _is_held(self) -> bool:
        return self._asked_until() > self._clock()

    async def _take(self, connection: Connection, room: int) -> list[Due]:
        """Up to `room` of what is due, and no more than the endpoint's rate has left."""
        name, rate, now = self._endpoint.name, self._rate, self._clock()
        if rate is None:
            return await deliveries.lease_due(connection, name, now, room, LEASE_MS)
        before = await endpoints.spent_until(connection, name)
        free = min(room, pace.allowed(rate, before, now))
        taken = await deliveries.lease_due(connection, name, now, free, LEASE_MS) if free else []
        if taken:
            before = pace.spent(rate, before, now, len(taken))
            await endpoints.spend_until(connection, name, before)
        self._free_ms = pace.next_ms(rate, before)
        return taken

    async def _settle_delivered(self, connection: Connection, landed: Sequence[Landed]) -> None:
        # The endpoint's row first, always: two transactions that take rows in different orders can wait for each other.
        await endpoints.succeeded(connection, self._endpoint.name, landed[-1].tried.at_ms)
        await deliveries.settle_delivered(connection, [(one.due, one.tried) for one in landed])

    async def _settle_failed(self, connection: Connection, one: Landed) -> None:
        name, tried = self._endpoint.name, one.tried
        reason = tried.error or "" if tried.status == schedule.GONE else None
        if reason is None:
            hold_ms = one.result.hold_ms
            asked = f", and asked to be left alone until {rfc3339(hold_ms)}" if hold_ms else ""
            since = await endpoints.failed(connection, name, (tried.error or "") + asked, tried.at_ms, hold_ms)
            if since is not None and tried.at_ms - since >= self._disable_after_ms:
                reason = f"nothing has arrived there since {rfc3339(since)}; at last: {tried.error}"
        newly_disabled = reason is not None and await endpoints.disable(connection, name, reason)
        await deliveries.settle(connection, one.due, tried, one.result.state, one.result.next_ms)
        if reason is not None and newly_disabled:
            self._log.warning("endpoint disabled", reason=reason)
            await deliveries.bury(connection, name)
            (status,) = await endpoints.endpoint_statuses(connection, [self._endpoint])
            await raise_alerts(connection, [(self._disabled(status, tried.at_ms, reason), None, None)])

    async def _events(self, taken: list[Due]) -> dict[int, Event]:
        """The events of these deliveries by alert; none where that fails, and each is then tried by itself."""
        if not taken:
            return {}
        try:
            with tracing.span("take deliveries", endpoint=self._endpoint.name, deliveries=len(taken)):
                async with self._database.read() as connection:
                    return await load_events(connection, [due.alert_id for due in taken], self._form)
        except Exception as error:  # whatever it is, it may be about one of them only
            self._log.warning("events could not be read together", error=f"{type(error).__name__}: {error}")
            return {}

    def _hand_over(self, taken: Sequence[Due], events: dict[int, Event]) -> None:
        if self._is_held():  # since they were taken
            self._back += taken
        else:
            self._lines.add((due, events.get(due.alert_id)) for due in taken)

    def _look_soon(self) -> None:
        """After an attempt: to write it down; and perhaps the claim's next is free to go."""
        if not self._lines.in_hand or len(self._landed) >= GATHER:
            self._look.set()
        elif len(self._landed) == 1:
            asyncio.get_running_loop().call_later(GATHER_S, self._look.set)

    async def _attempt(self, due: Due, event: Event | None) -> None:
        """One attempt. One that waited for so long that its lease could run out meanwhile is not made."""
        if due.lease_until - self._clock() >= LEASE_MS // 2:
            await self._attempt_now(due, event)

    async def _attempt_now(self, due: Due, event: Event | None) -> None:
        """One attempt. Where the record cannot be read nothing is sent: the lease runs out and the delivery is due again."""
        at_ms = self._clock()
        try:
            if event is None:
                async with self._database.read() as connection:
                    event = (await load_events(connection, [due.alert_id], self._form))[due.alert_id]
            with tracing.span(
                "deliver", event.mark, "client", endpoint=self._endpoint.name, alert=event.alert.id, attempt=due.attempts + 1
            ) as span:
                answer = await self._channel.send(due.webhook_id, event.body, at_ms)
                span.set(status=answer.status or 0)
        except StoreUnavailable:
            return
        except Exception as error:  # a bug about one alert must not be tried for ever, nor stop the others
            self._log.error("the event could not be built or sent", alert=public_id("a", due.alert_id), exc_info=error)
            answer = Answer(ms=0, error=f"the event could not be built or sent ({type(error).__name__})")
        result = schedule.outcome(answer, due.tries, self._clock(), self._jitter())
        tried = Tried(at_ms=at_ms, ms=answer.ms, status=answer.status, error=answer.error, answer=answer.text)
        self._quick = answer.status is not None and answer.ms <= QUICK_MS
        self._landed.append(Landed(due=due, tried=tried, result=result))
        if result.hold_ms:
            self._back += self._lines.take_back()
            self._look.set()
        self._logbook(due, event, answer, result)

    async def _write_down_the_last(self) -> None:
        if not self._landed and not self._back:
            return
        try:
            await self._exchange(0)
        except StoreUnavailable as error:
            self._log.warning("attempts could not be written down, they are made again", error=str(error))

    def _disabled(self, status: EndpointStatus, at_ms: int, reason: str) -> AlertDraft:
        return AlertDraft(
            kind="endpoint.disabled",
            dedupe_key=f"endpoint.disabled:{self._endpoint.name}:{at_ms}",
            summary=f"The endpoint {self._endpoint.name} is disabled: {reason}.",
            recipients=recipients(self._others, "endpoint.disabled", None, None),
            subject={"endpoint": msgspec.to_builtins(status)},
        )
