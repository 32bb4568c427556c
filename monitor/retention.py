"""Keeps texts and authors no longer than they may be kept, and authors under the present key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from monitor.pause import pause
from monitor.pseudonyms import Pseudonyms
from monitor.settings import Settings
from monitor.settings.duties import duty_of
from monitor.store import Connection, Database, StoreUnavailable, erase, renewal, sweeps
from monitor.times import now_ms

log = structlog.get_logger()

LOOK_EVERY_S = 300.0


async def keep(
    settings: Settings, database: Database, pseudonyms: Pseudonyms, stop: asyncio.Event, clock: Callable[[], int] = now_ms
) -> None:
    """Does so until `stop` is set. A database that is away is waited for."""
    while not stop.is_set():
        try:
            expired = await expire(settings, database, clock())
            if expired:
                log.info("texts expired", mentions=expired)
            if pseudonyms.generation > 1:
                await renewal.renew_all(database, pseudonyms.renewed, pseudonyms.generation)
        except StoreUnavailable as error:
            log.warning("texts that are to expire wait for the database", error=str(error))
        await pause(stop, LOOK_EVERY_S)


async def expire(settings: Settings, database: Database, now: int) -> int:
    """Erases what has been kept for long enough at `now` (ms), and what had to be looked for again and was not; how many.

    Raises StoreUnavailable.
    """
    count = 0
    async with database.read() as connection:
        platforms = await sweeps.platforms(connection)
    for platform in platforms:
        duty = duty_of(platform, settings.store.retain_text)
        count += await _walk(database, platform, "expire", now - round(duty.keep * 1000))
        for age, deadline in zip(duty.verify, duty.deadlines, strict=False):
            if deadline < duty.keep:
                count += await _walk(database, platform, f"verify {age:.0f}", now - round(deadline * 1000))
    return count


async def _walk(database: Database, platform: str, step: str, until: int) -> int:
    """Lets the texts of one platform's mentions expire that were heard before `until` (ms): all, or those that the sources'
    walks of this step did not come to."""
    count, before = 0, sweeps.id_at(until)
    name = f"platform {platform}"

    async def due(connection: Connection, after: int) -> list[sweeps.Due]:
        if step == "expire":
            return await sweeps.of_platform(connection, platform, after, before, erase.MOST)
        return await sweeps.not_verified(connection, platform, step, after, before, erase.MOST)

    while True:
        numbers = await _expire_some(database, name, step, before, due)
        count += numbers
        if numbers < erase.MOST:
            return count


async def _expire_some(
    database: Database, name: str, step: str, before: int, due: Callable[[Connection, int], Awaitable[list[sweeps.Due]]]
) -> int:
    async with database.read() as connection:
        after = await sweeps.upto(connection, name, step)
        if after >= before - 1:
            return 0
        numbers = [one.id for one in await due(connection, after)]
    async with database.write() as connection:
        await sweeps.advance(connection, name, step, numbers[-1] if len(numbers) == erase.MOST else before - 1)
        await erase.erase(connection, numbers, state="expired")
    return len(numbers)
