"""Looks again for posts of platforms that do not tell of deletions: at set ages, a hundred at a time."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from monitor.collectors.base import Verifies
from monitor.deletions import Eraser
from monitor.notices import Gone
from monitor.settings.duties import Duty
from monitor.store import Database, sweeps
from monitor.times import now_ms

log = structlog.get_logger()

AT_ONCE = 100


def step_of(age: float) -> str:
    """What the walk that looks at mentions of an age (seconds) is called."""
    return f"verify {age:.0f}"


async def verify(
    source: str,
    collector: Verifies,
    database: Database,
    eraser: Eraser,
    duty: Duty,
    clock: Callable[[], int] = now_ms,
) -> None:
    """Looks for all of a source's posts whose time has come, and erases those that are gone.

    Raises SourceError where the platform does not answer: what was looked for by then is noted.
    """
    for age in duty.verify:
        if age > duty.keep:
            break
        step, before = step_of(age), sweeps.id_at(clock() - round(age * 1000))
        while True:
            async with database.read() as connection:
                after = await sweeps.upto(connection, source, step)
                due = await sweeps.of_source(connection, source, after, before, AT_ONCE)
            if due:
                await _look(source, collector, eraser, due)
            # What is heard from here on is younger than `before`: where none is left, the walk has got there.
            reached = due[-1].id if len(due) == AT_ONCE else before - 1
            if reached > after:
                async with database.write() as connection:
                    await sweeps.advance(connection, source, step, reached)
            if len(due) < AT_ONCE:
                break


async def _look(source: str, collector: Verifies, eraser: Eraser, due: list[sweeps.Due]) -> None:
    ids = [one.platform_id for one in due]
    there = await collector.still_there(ids)
    if not there and len(ids) > 1:  # so many at once may also be an answer that was cut off
        there = await collector.still_there(ids)
    gone = [Gone(platform=one.platform, post=one.platform_id) for one in due if one.platform_id not in there]
    log.info("posts looked for again", source=source, posts=len(due), gone=len(gone))
    await eraser.erase(gone)
