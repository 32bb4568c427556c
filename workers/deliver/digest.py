"""Raises the digests whose time has come; the queues then send them like any other alert."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import structlog

from monitor import telemetry
from monitor.ids import public_id
from monitor.pause import pause
from monitor.settings.endpoint import Endpoint
from monitor.store import Database, StoreUnavailable, digests

log = structlog.get_logger()

LOOK_EVERY_S = 1.0


async def raise_due(database: Database, names: Sequence[str], now: int, asked_for: Collection[str] = ()) -> int:
    """Raises what these endpoints should have been told by `now` (ms), each digest in a transaction; how many there were.

    `asked_for` are the endpoints that take all their alerts so. Any number of processes may do it at once. Raises
    StoreUnavailable.
    """
    async with database.read() as connection:
        due = await digests.due(connection, names, now)
    raised = 0
    for one in due:
        async with database.write() as connection:
            number = await digests.raise_digest(connection, one, now, asked_for=one.endpoint in asked_for)
        if number is not None:
            raised += 1
            telemetry.alerted.inc()
            log.info("digest raised", alert=public_id("a", number), endpoint=one.endpoint)
    return raised


def asking(configured: Sequence[Endpoint]) -> frozenset[str]:
    """The endpoints that want all their alerts in digests."""
    return frozenset(one.name for one in configured if one.digest is not None)


async def keep_raising(
    database: Database,
    configured: Sequence[Endpoint],
    clock: Callable[[], int],
    stop: asyncio.Event,
    wake: Callable[[], None],
) -> None:
    """Raises digests as they fall due until `stop` is set, and calls `wake` after each time there were some."""
    names = [one.name for one in configured]
    asked_for = asking(configured)
    while not stop.is_set():
        try:
            if await raise_due(database, names, clock(), asked_for):
                wake()
        except StoreUnavailable:
            pass  # the queues say so, and when it is back
        except Exception as error:  # whatever it is, alerts that do not wait for a digest must go on being sent
            log.error("raising digests failed", exc_info=error)
        await pause(stop, LOOK_EVERY_S)
