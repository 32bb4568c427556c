"""What hubs push of a source: it is subscribed at the hub that it names, and what comes is read between two polls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog

from monitor.collectors.base import Collector, Hub, Pushed, SourceError, Streamer
from monitor.collectors.batches import StoppedError, next_batch
from monitor.collectors.publish import TROUBLE_S, Publisher
from monitor.collectors.websub import note_hub
from monitor.pause import either, pause
from monitor.store import Database, StoreUnavailable, websub
from monitor.stream import StreamRewound, StreamUnavailable
from monitor.times import now_ms

log = structlog.get_logger()

LOOK_S = 30.0  # at most until a push is read of which no signal came


class Pushes:
    """The pushes of one source. `cursor` says where it was read to; with an empty `public_url` hubs reach nobody here."""

    def __init__(
        self,
        source: str,
        collector: Collector | Streamer,
        cursor: Callable[[], Awaitable[str | None]],
        publisher: Publisher,
        database: Database,
        *,
        public_url: str,
    ) -> None:
        self._source = source
        self._collector = collector if public_url and isinstance(collector, Pushed) else None
        self._cursor = cursor
        self._publisher = publisher
        self._database = database
        self._public_url = public_url
        self._noted: tuple[Hub | None] | None = None
        self._pushed = asyncio.Event()
        self._log = log.bind(source=source)

    def wake(self) -> None:
        """Says that something was pushed."""
        self._pushed.set()

    async def note_hub(self, hub: Hub | None) -> None:
        """Has the source subscribed at the hub that it names now, and at no other."""
        if self._public_url and self._noted != (hub,):
            await note_hub(self._database, self._source, hub, self._public_url)
            self._noted = (hub,)

    async def read_until(self, end: float, stop: asyncio.Event) -> None:
        """Reads at once what is pushed until then (`time.monotonic`); nothing to wait for where no hub can push.

        Raises StreamRewound where the source has to be read again from before.
        """
        while self._collector is not None and not stop.is_set():
            self._pushed.clear()
            look = LOOK_S
            try:
                await self._read(self._collector, stop)
            except StoppedError:
                return
            except StreamRewound:
                raise
            except (StreamUnavailable, StoreUnavailable) as error:
                self._log.warning("pushes wait for a server", error=str(error))
                look = TROUBLE_S
            left = end - time.monotonic()
            if left <= 0:
                return
            async with either(stop, self._pushed) as woken:
                await pause(woken, min(left, look))

    async def _read(self, collector: Pushed, stop: asyncio.Event) -> None:
        """Publishes what hubs pushed. What cannot be read is let go of: the next poll brings it."""
        while not stop.is_set():
            async with self._database.read() as connection:
                push = await websub.next_push(connection, self._source)
            if push is None:
                return
            try:
                cursor = await self._cursor()
                async with aclosing(collector.pushed(push.body, push.content_type, cursor)) as batches:
                    while (batch := await next_batch(batches, stop)) is not None:
                        await self._publisher.take(batch, stop, until=now_ms())
            except (StreamUnavailable, StoreUnavailable, StoppedError):
                raise
            except SourceError as error:
                self._log.warning("a push cannot be read", error=str(error))
            except Exception:
                self._log.exception("unexpected error in reading a push")
            await self._publisher.flush(stop)
            async with self._database.write() as connection:
                await websub.read(connection, push)
