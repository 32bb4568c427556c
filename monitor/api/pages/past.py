"""Counts of the days before today, kept in memory: they change little (an edit, a review, a deletion) and cost the most to read.

The first request after a start reads them. From then on they are read anew in the background, and no request waits for that: it
has those of before meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from monitor.api.parts import PARTS
from monitor.pause import pause
from monitor.store import Connection, Database, StoreUnavailable, overview
from monitor.store.overview import DayCount
from monitor.times import now_ms

log = structlog.get_logger()

DAYS = 14
REFILL_S = 240.0
GENTLY = 50  # times as long as reading took, at least, until it is read again
PATIENCE_S = 5.0  # for a reading that is under way when the server closes


class Past:
    """The counts of the last DAYS days."""

    def __init__(self) -> None:
        self._days: list[DayCount] = []  # of days that are over
        self._asked = asyncio.Event()

    def forget(self) -> None:
        """The next request reads all of them, as the first one does."""
        self._days = []

    async def days(self, connection: Connection, today: int) -> list[DayCount]:
        """The counts of the last DAYS days up to `today`, in order: today's are read, and those of days that are not known."""
        first = today - DAYS + 1
        kept = [one for one in self._days if first <= one.day < today]
        if not kept or kept[0].day != first:
            kept = []
        found = [*kept, *await overview.days(connection, kept[-1].day + 1 if kept else first, today)]
        if len(kept) < DAYS - 1:
            self._days = found[:-1]
        self._asked.set()
        return found

    async def refill(self, database: Database) -> None:
        """Reads the counts of the days that are over anew. Raises StoreUnavailable."""
        today = overview.day_of(now_ms())
        async with database.read() as connection:
            self._days = await overview.days(connection, today - DAYS + 1, today - 1)

    async def keep(self, database: Database, closing: asyncio.Event) -> None:
        """Keeps them fresh from the first request on, until `closing` is set."""
        asked = asyncio.ensure_future(self._asked.wait())
        closed = asyncio.ensure_future(closing.wait())
        try:
            await asyncio.wait({asked, closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            closed.cancel()
        wait = REFILL_S
        while not closing.is_set():
            await pause(closing, wait)
            if closing.is_set():
                return
            begun = time.monotonic()
            try:
                await self.refill(database)
            except StoreUnavailable as error:  # what is known stays
                log.info("counts of earlier days could not be read anew", error=str(error))
            wait = max(REFILL_S, GENTLY * (time.monotonic() - begun))


PAST = web.AppKey("past_days", Past)


async def keep_past(app: web.Application) -> AsyncIterator[None]:
    """Keeps the counts fresh for as long as the server runs."""
    keeping = asyncio.create_task(app[PAST].keep(app[PARTS].database, app[PARTS].closing), name="counts of earlier days")
    yield
    app[PARTS].closing.set()
    await asyncio.wait({keeping}, timeout=PATIENCE_S)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
