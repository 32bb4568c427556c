"""The ledger of what each source surely carried to us: covered times, gaps with their cause, and late arrivals.

Covered times are joined where they touch, so a source that runs well has one row for all its life. Whoever writes holds the
source's row first, so two writers of one source wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.outbox import new_number
from monitor.store.source_tables import coverage, gap, source
from monitor.times import now_ms, rfc3339
from monitor.words import Coverage, CoverageGap, CoveredSpan, GapState

KEPT = 1_000  # rows of each table for one source; the oldest go
TRIES = 8  # at refilling a gap
FIRST_RETRY_MS = 60_000
LONGEST_RETRY_MS = 6 * 3_600_000
_MAX_TEXT = 500  # characters of a cause
_MAX_TICKET = 4_000


class OpenGap(msgspec.Struct, frozen=True, kw_only=True):
    """A gap that can be refilled; times in ms."""

    id: int
    since: int
    until: int
    cause: str
    ticket: str


async def extend(connection: AsyncConnection, name: str, since: int | None, until: int) -> None:
    """Notes that the source was surely covered from `since` (None: where its coverage ended, or gaps did) to `until` (ms).

    Gaps that lie within it are gaps no more.
    """
    await _hold(connection, name)
    if since is None:
        since = await _end(connection, name)
    since = until if since is None else min(since, until)
    touching = (
        coverage.c.source == name,
        coverage.c.since_ms <= until,
        coverage.c.until_ms >= since,
    )
    rows = (await connection.execute(select(coverage.c.since_ms, coverage.c.until_ms).where(*touching))).all()
    first = min([since, *(row.since_ms for row in rows)])
    last = max([until, *(row.until_ms for row in rows)])
    if len(rows) == 1 and rows[0].since_ms == first:  # nearly always: the present one grows
        at = (coverage.c.source == name, coverage.c.since_ms == first)
        await connection.execute(update(coverage).where(*at).values(until_ms=last))
    else:
        await connection.execute(delete(coverage).where(*touching))
        await connection.execute(insert(coverage).values(source=name, since_ms=first, until_ms=last))
        await _bound(connection, name)
    await connection.execute(
        update(gap)
        .where(gap.c.source == name, gap.c.state != "refilled", gap.c.since_ms >= since, gap.c.until_ms <= until)
        .where(gap.c.since_ms < gap.c.until_ms)
        .values(state="refilled")
    )


async def note_gap(
    connection: AsyncConnection, name: str, since: int | None, until: int, cause: str, ticket: str | None = None
) -> None:
    """Notes a time in which posts may have been missed. `since` as in `extend`; with a `ticket` it can be refilled.

    The same gap noted again, or the one after it with the same cause, makes the first one longer.
    """
    await _hold(connection, name)
    if since is None:
        since = await _end(connection, name)
    since = until if since is None else min(since, until)
    cause, ticket = cause[:_MAX_TEXT], None if ticket is None or len(ticket) > _MAX_TICKET else ticket
    await _uncover(connection, name, since, until)
    state = "lost" if ticket is None else "open"
    same = (gap.c.source == name, gap.c.cause == cause, gap.c.state == state, gap.c.since_ms <= until, gap.c.until_ms >= since)
    rows = (await connection.execute(select(gap).where(*same))).all()
    before = next((row for row in rows if row.ticket == ticket), None)
    if before is not None and since < until:
        longer = {"since_ms": min(since, before.since_ms), "until_ms": max(until, before.until_ms)}
        await connection.execute(update(gap).where(gap.c.id == before.id).values(longer))
        return
    row = {"id": new_number(), "source": name, "since_ms": since, "until_ms": until, "noted_ms": now_ms()}
    await connection.execute(insert(gap).values(**row, cause=cause, state=state, ticket=ticket))
    await _bound(connection, name)


async def open_gaps(connection: AsyncConnection, name: str, now: int) -> list[OpenGap]:
    """The source's gaps that are to be refilled and whose turn it is at `now` (ms), the latest first."""
    due = (gap.c.source == name, gap.c.state == "open", gap.c.next_ms <= now)
    rows = await connection.execute(select(gap).where(*due).order_by(gap.c.until_ms.desc()))
    return [OpenGap(id=row.id, since=row.since_ms, until=row.until_ms, cause=row.cause, ticket=row.ticket or "") for row in rows]


async def refilled(connection: AsyncConnection, name: str, one: OpenGap) -> None:
    """Notes that all of a gap was fetched after all."""
    await connection.execute(update(gap).where(gap.c.id == one.id).values(state="refilled"))
    await extend(connection, name, one.since, one.until)


async def not_refilled(connection: AsyncConnection, one: OpenGap, why: str, now: int, *, for_good: bool) -> GapState:
    """Notes a try that failed: the gap is tried again later, or after `TRIES` of them is lost; its state."""
    row = (await connection.execute(select(gap.c.tries).where(gap.c.id == one.id))).one_or_none()
    tries = 1 if row is None else row.tries + 1
    state: GapState = "lost" if for_good or tries >= TRIES else "open"
    later = now + min(FIRST_RETRY_MS * 4 ** (tries - 1), LONGEST_RETRY_MS)
    values: dict[str, Any] = {"tries": tries, "state": state, "next_ms": later}
    if state == "lost":
        values["cause"] = f"{one.cause}; it could not be refilled: {why}"[:_MAX_TEXT]
    await connection.execute(update(gap).where(gap.c.id == one.id).values(values))
    return state


async def find(connection: AsyncConnection, name: str, since: int | None = None, until: int | None = None) -> Coverage | None:
    """The ledger of a source, or of it what lies between `since` and `until` (ms); None where there is no such source."""
    row = (await connection.execute(select(source).where(source.c.name == name))).one_or_none()
    if row is None:
        return None
    covered = select(coverage).where(coverage.c.source == name).order_by(coverage.c.since_ms)
    gaps = select(gap).where(gap.c.source == name).order_by(gap.c.since_ms, gap.c.id)
    if since is not None:
        covered, gaps = covered.where(coverage.c.until_ms >= since), gaps.where(gap.c.until_ms >= since)
    if until is not None:
        covered, gaps = covered.where(coverage.c.since_ms < until), gaps.where(gap.c.since_ms < until)
    return Coverage(
        source=name,
        state=row.state,
        covered=tuple(
            CoveredSpan(since=rfc3339(one.since_ms), until=rfc3339(one.until_ms)) for one in await connection.execute(covered)
        ),
        gaps=tuple(_gap(one) for one in await connection.execute(gaps)),
        open_since=rfc3339(await _end(connection, name)),
        late=row.late,
        last_late=rfc3339(row.late_ms),
    )


async def latest_gaps(connection: AsyncConnection, names: Sequence[str], most: int) -> dict[str, tuple[CoverageGap, ...]]:
    """The latest gaps of each of these sources that were not refilled, in the order in which they were noted."""
    found: dict[str, tuple[CoverageGap, ...]] = {}
    for name in names:
        query = select(gap).where(gap.c.source == name, gap.c.state != "refilled").order_by(gap.c.id.desc()).limit(most)
        found[name] = tuple(reversed([_gap(row) for row in await connection.execute(query)]))
    return found


def _gap(row: Any) -> CoverageGap:
    return CoverageGap(
        since=rfc3339(row.since_ms), until=rfc3339(row.until_ms), at=rfc3339(row.noted_ms), what=row.cause, state=row.state
    )


async def _hold(connection: AsyncConnection, name: str) -> None:
    await connection.execute(select(source.c.name).where(source.c.name == name).with_for_update())


async def _end(connection: AsyncConnection, name: str) -> int | None:
    """How far is known what was covered and what was not; None where nothing is known yet."""
    covered = await connection.execute(select(func.max(coverage.c.until_ms)).where(coverage.c.source == name))
    missed = await connection.execute(select(func.max(gap.c.until_ms)).where(gap.c.source == name))
    return max((end for end in (covered.scalar(), missed.scalar()) if end is not None), default=None)


async def _uncover(connection: AsyncConnection, name: str, since: int, until: int) -> None:
    """Takes a time out of what is covered."""
    if since >= until:
        return
    cut = (coverage.c.source == name, coverage.c.since_ms < until, coverage.c.until_ms > since)
    rows = (await connection.execute(select(coverage).where(*cut))).all()
    await connection.execute(delete(coverage).where(*cut))
    rest = [(row.since_ms, since) for row in rows if row.since_ms < since]
    rest += [(until, row.until_ms) for row in rows if row.until_ms > until]
    if rest:
        await connection.execute(
            insert(coverage), [{"source": name, "since_ms": first, "until_ms": last} for first, last in rest]
        )


async def _bound(connection: AsyncConnection, name: str) -> None:
    """Keeps the ledger of a source small: of covered times and of gaps the oldest go."""
    for table, order in ((coverage, coverage.c.since_ms), (gap, gap.c.id)):
        last = select(order).where(table.c.source == name).order_by(order.desc()).offset(KEPT).limit(1)
        oldest = (await connection.execute(last)).scalar()
        if oldest is not None:
            await connection.execute(delete(table).where(table.c.source == name, order <= oldest))
