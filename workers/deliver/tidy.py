"""Forgets old deliveries, a few at a time, so that the log does not grow for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from monitor.pause import pause
from monitor.store import Database, StoreUnavailable, delivery_log

log = structlog.get_logger()

LOOK_EVERY_S = 600.0
BETWEEN_S = 0.05  # other writers come first


async def forget_old(database: Database, retain_s: float, now: int, stop: asyncio.Event) -> int:
    """Forgets what was made more than `retain_s` before `now` (ms) and is not pending; how many. Raises StoreUnavailable."""
    before_ms, forgotten = now - round(retain_s * 1000), 0
    after: int | None = 0
    while after is not None and not stop.is_set():
        async with database.read() as connection:
            old = await delivery_log.find_old(connection, before_ms, after)
        if old.spent or old.kept:
            async with database.write() as connection:
                forgotten += await delivery_log.forget(connection, old)
        after = old.last
        if after is not None:
            await pause(stop, BETWEEN_S)
    return forgotten


async def keep_tidy(database: Database, retain_s: float, clock: Callable[[], int], stop: asyncio.Event) -> None:
    """Forgets old deliveries now and every ten minutes until `stop` is set."""
    while not stop.is_set():
        try:
            forgotten = await forget_old(database, retain_s, clock(), stop)
            if forgotten:
                log.info("old deliveries were forgotten", deliveries=forgotten)
        except StoreUnavailable:
            pass  # the queues say so, and when it is back
        except Exception as error:  # whatever it is, alerts must go on being sent
            log.error("forgetting old deliveries failed", exc_info=error)
        await pause(stop, LOOK_EVERY_S)
