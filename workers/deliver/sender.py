"""Delivery: a queue for each endpoint, all independent of each other.

Any number of senders may run on one database, in one process or on many machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from monitor.pause import pause
from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Deliveries
from monitor.store import Database, StoreUnavailable, digests, endpoints
from monitor.stream import Stream
from workers.deliver import digest, tidy
from workers.deliver.channels import open_channel, url_problem
from workers.deliver.clock import DatabaseClock
from workers.deliver.queue import IN_FLIGHT, TROUBLE_S, Queue
from workers.deliver.schedule import jitter as random_jitter
from workers.deliver.telling import Telling
from workers.deliver.webhook import TIMEOUT_S

log = structlog.get_logger()

GRACE_S = 5.0


class Sender:
    """Delivers alerts to the configured endpoints.

    `clock` gives the present in ms; all waiting is reckoned by it, so that a test can let days pass (None: the database's clock).
    `jitter` gives the factor (0.9 to 1.1) by which a wait is longer or shorter. `keep`: how long the log is kept, and how long an
    endpoint may fail. Through `stream` open pages are told of attempts.
    """

    def __init__(
        self,
        database: Database,
        configured: Sequence[Endpoint],
        *,
        clock: Callable[[], int] | None = None,
        jitter: Callable[[], float] = random_jitter,
        timeout_s: float = TIMEOUT_S,
        grace_s: float = GRACE_S,
        keep: Deliveries | None = None,
        stream: Stream | None = None,
    ) -> None:
        self._database = database
        self._configured = configured
        self._names = [one.name for one in configured]
        self._time = DatabaseClock(database)
        self._clock = clock or self._time
        self._jitter = jitter
        self._timeout_s = timeout_s
        self._grace_s = grace_s
        self._keep = keep or Deliveries()
        self._telling = Telling(stream)
        self._queues: list[Queue] = []

    def wake(self) -> None:
        """Says that an alert was committed, so that it goes out now and not at the next look. Safe to call at any time."""
        for queue in self._queues:
            queue.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Delivers until `stop` is set. A database that is away is waited for. Starting enables endpoints that were disabled."""
        if not await self._declare(stop):
            return
        async with self._open(), asyncio.TaskGroup() as group:
            for queue in self._queues:
                group.create_task(queue.run(stop, self._grace_s))
            if self._names:
                group.create_task(digest.keep_raising(self._database, self._configured, self._clock, stop, self.wake))
            group.create_task(tidy.keep_tidy(self._database, self._keep.retain, self._clock, stop))
            group.create_task(self._time.keep(stop))
            group.create_task(self._telling.run(stop))
            group.create_task(self._wake_at(stop))

    async def flush(self) -> int:
        """Sends all that is due now and does not wait for the rest; how many attempts were made. Raises StoreUnavailable."""
        async with self._database.write() as connection:
            await endpoints.register(connection, self._names)
            await self._time.set(connection)
        await digest.raise_due(self._database, self._names, self._clock(), digest.asking(self._configured))
        async with self._open():
            return sum(await asyncio.gather(*(queue.flush() for queue in self._queues)))

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        channels = [open_channel(one, connections=IN_FLIGHT, timeout_s=self._timeout_s) for one in self._configured]
        self._queues = [
            Queue(
                self._database,
                endpoint,
                channel,
                others=[other for other in self._configured if other is not endpoint],
                tried=self._telling.tried,
                clock=self._clock,
                jitter=self._jitter,
                disable_after_s=self._keep.disable_after,
                lines=1 if endpoint.kind == "apprise" else IN_FLIGHT,
            )
            for endpoint, channel in zip(self._configured, channels, strict=True)
        ]
        try:
            yield
        finally:
            self._queues = []
            await asyncio.gather(*(channel.close() for channel in channels))

    async def _declare(self, stop: asyncio.Event) -> bool:
        """Makes the endpoints known to the record; False where it was told to stop before that went through."""
        for endpoint in self._configured:
            problem = url_problem(endpoint)
            if problem is not None:
                log.warning("nothing can be sent to this endpoint", endpoint=endpoint.name, problem=problem)
        away = False
        while not stop.is_set():
            try:
                async with self._database.write() as connection:
                    await endpoints.declare(connection, self._names)
                    waiting = await digests.waiting(connection)
                    await self._time.set(connection)
                for name in waiting.keys() - set(self._names):
                    log.warning(
                        "alerts wait for the digest of an endpoint that is not configured", endpoint=name, alerts=waiting[name]
                    )
                return True
            except StoreUnavailable as error:
                if not away:
                    log.warning("waiting for the database", error=str(error))
                away = True
                await pause(stop, TROUBLE_S)
        return False

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wake()
        self._telling.close()
