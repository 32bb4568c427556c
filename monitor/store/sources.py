"""How the sources are: written after every poll, read by whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.settings.endpoint import Endpoint
from monitor.store import coverage, mentions, source_events
from monitor.store.filters import FilterError, Filters, make_cursor
from monitor.store.merged import of_present
from monitor.store.outbox import AlertDraft, raise_alerts
from monitor.store.source_tables import source
from monitor.store.tables import mention
from monitor.store.upsert import upsert
from monitor.times import now_ms, rfc3339
from monitor.words import CoverageGap, Page, SourceState, SourceStatus

GAPS_KEPT = 20
QUIET_DAYS = 14  # on which a source spoke, whose longest quiet times say what is usual
KNOWN_DAYS = 3  # of them, before anything is usual
LEAST_SILENCE_S = 1_800.0
SILENT_TIMES = 2.0  # its usual longest quiet time, after which a source counts as silent
SILENT_POLLS = 4.0  # and as many of its intervals


class Heard(msgspec.Struct, kw_only=True):
    """What came of a source since it was last written down. `lag_s`: age of the newest post, None where none says when it was
    made; `cursor`: the latest before which all is judged, None where it has not moved."""

    posts: int = 0
    matched: int = 0
    late: int = 0
    lag_s: float | None = None
    cursor: str | None = None


async def configured(connection: AsyncConnection, sources: dict[str, str], now: int | None = None) -> None:
    """Makes a row for each configured source ({name: kind}); one that is configured no longer is off. How the others are stays:
    another process may have them in hand."""
    at = now_ms() if now is None else now
    for name, kind in sorted(sources.items()):
        statement = upsert(connection, source).values(name=name, kind=kind, state="waiting", last_post_ms=at)
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"kind": kind}))
    await connection.execute(update(source).where(source.c.name.not_in(sources)).values(state="off"))


async def begun(connection: AsyncConnection, name: str, now: int | None = None) -> None:
    """Notes that somebody listens to the source from now on, after a time in which nobody did."""
    at = now_ms() if now is None else now
    # What it did not say while nobody listened is no silence; but one that was told of goes on until it speaks.
    spoke = case((source.c.told == "silent", source.c.last_post_ms), else_=at)
    values = {"state": "waiting", "failures": 0, "failing_ms": None, "last_post_ms": spoke}
    await connection.execute(update(source).where(source.c.name == name).values(values))


async def declare(connection: AsyncConnection, sources: dict[str, str], now: int | None = None) -> None:
    """As `configured`, and all of them have begun."""
    await configured(connection, sources, now)
    for name in sorted(sources):
        await begun(connection, name, now)


async def heard(connection: AsyncConnection, name: str, what: Heard, now: int | None = None) -> None:
    """Notes what was published."""
    at = now_ms() if now is None else now
    values: dict[str, Any] = {}
    if what.posts:
        row = (await connection.execute(select(source).where(source.c.name == name).with_for_update())).one_or_none()
        if row is None:
            return
        values = {"heard": row.heard + what.posts, "matched": row.matched + what.matched, "last_post_ms": at}
        if row.failing_ms is None and row.last_post_ms is not None:  # while it failed nothing could be heard
            values["quiet"] = _with_quiet(row.quiet, at, (at - row.last_post_ms) / 1000)
    if what.late:
        values |= {"late": source.c.late + what.late, "late_ms": at}
    if what.lag_s is not None:
        values["lag_s"] = what.lag_s
    if what.cursor is not None:
        values["cursor"] = what.cursor
    if values:
        await connection.execute(update(source).where(source.c.name == name).values(values))


async def known(connection: AsyncConnection, names: Sequence[str]) -> set[str]:
    """The names of all sources that were ever configured, and those of `names` under which files or HTTP brought posts."""
    configured = set((await connection.execute(select(source.c.name))).scalars())
    carried = [select(mention.c.source).where(mention.c.source == name).limit(1) for name in names if name not in configured]
    return configured | {str(found) for one in carried if (found := (await connection.execute(one)).scalar()) is not None}


async def judged_until(connection: AsyncConnection, name: str) -> str | None:
    """The source's cursor before which all is judged and on record, as it was last noted; None where none was."""
    found = (await connection.execute(select(source.c.cursor).where(source.c.name == name))).scalar()
    return None if found is None else str(found)


async def succeeded(
    connection: AsyncConnection,
    name: str,
    *,
    interval_s: float = 0,
    endpoints: Sequence[Endpoint] = (),
    now: int | None = None,
) -> list[int]:
    """Notes a poll that went through. Where the source was down, or has been silent and speaks again or falls silent now, the
    endpoints are told; the stored ids of these alerts. This ends a transaction (`raise_alerts`)."""
    at = now_ms() if now is None else now
    row = (await connection.execute(select(source).where(source.c.name == name).with_for_update())).one_or_none()
    if row is None:
        return []
    silent_since = silence(row.quiet, row.last_post_ms, interval_s, at)
    state: SourceState = "ok" if silent_since is None else "silent"
    values: dict[str, Any] = {"state": state, "last_success_ms": at, "failures": 0, "failing_ms": None}
    raised: list[tuple[AlertDraft, str | None, int | None]] = []
    if row.told == "down" or (row.told == "silent" and silent_since is None):
        status = _status(row, (), state=state, last_success_ms=at)
        raised.append((source_events.recovered(status, row.told, row.told_ms, at, endpoints), None, None))
        values |= {"told": None, "told_ms": None}
    if silent_since is not None and row.told != "silent":
        status = _status(row, (), state=state, last_success_ms=at)
        raised.append((source_events.silent(status, silent_since, at, endpoints), None, None))
        values |= {"told": "silent", "told_ms": silent_since}
    await connection.execute(update(source).where(source.c.name == name).values(values))
    return list(await raise_alerts(connection, raised, at)) if raised else []


async def failed(
    connection: AsyncConnection,
    name: str,
    error: str,
    state: SourceState,
    *,
    endpoints: Sequence[Endpoint] = (),
    now: int | None = None,
) -> list[int]:
    """Notes a poll that did not, in the words for the operator. Where the source is down or off now and was not, the endpoints
    are told; as in `succeeded`."""
    at = now_ms() if now is None else now
    row = (await connection.execute(select(source).where(source.c.name == name).with_for_update())).one_or_none()
    if row is None:
        return []
    since = at if row.failing_ms is None else row.failing_ms
    values: dict[str, Any] = {"state": state, "last_error": error[:1000], "last_error_ms": at, "failures": row.failures + 1}
    values["failing_ms"] = since
    raised: list[tuple[AlertDraft, str | None, int | None]] = []
    if state in ("down", "off") and row.told != "down":
        status = _status(row, (), state=state, last_error=error[:1000])
        raised.append((source_events.down(status, since, endpoints), None, None))
        values |= {"told": "down", "told_ms": since}
    await connection.execute(update(source).where(source.c.name == name).values(values))
    return list(await raise_alerts(connection, raised, at)) if raised else []


def silence(quiet: Mapping[str, float], last_post_ms: int | None, interval_s: float, now: int) -> int | None:
    """Since when (ms) a source has been quiet for much longer than usual; None where it has not, or nothing is usual yet.

    `quiet` are the longest quiet times, in seconds, of the days on which it spoke.
    """
    if last_post_ms is None or len(quiet) < KNOWN_DAYS:
        return None
    patience_s = max(SILENT_TIMES * max(quiet.values()), SILENT_POLLS * interval_s, LEAST_SILENCE_S)
    return last_post_ms if now - last_post_ms > patience_s * 1000 else None


def _with_quiet(quiet: Mapping[str, float], now: int, seconds: float) -> dict[str, float]:
    day = rfc3339(now)[:10]
    longest = {**quiet, day: round(max(seconds, quiet.get(day, 0.0)), 1)}
    return dict(sorted(longest.items())[-QUIET_DAYS:])


async def listing(connection: AsyncConnection) -> list[SourceStatus]:
    """Every source that is configured or once was, by name."""
    rows = list(await connection.execute(select(source).order_by(source.c.name)))
    gaps = await coverage.latest_gaps(connection, [row.name for row in rows], GAPS_KEPT)
    return [_status(row, gaps[row.name]) for row in rows]


async def last_failed(connection: AsyncConnection) -> dict[str, int]:
    """When (ms) a poll of a source last failed, of those of which one ever did."""
    rows = await connection.execute(select(source.c.name, source.c.last_error_ms).where(source.c.last_error_ms.is_not(None)))
    return {row.name: row.last_error_ms for row in rows}


def _status(row: Any, gaps: tuple[CoverageGap, ...], **changed: Any) -> SourceStatus:
    """A source as users read it, from its row and what is about to change in it."""
    now = row._asdict() | changed
    return SourceStatus(
        name=now["name"],
        kind=now["kind"],
        state=now["state"],
        last_success=rfc3339(now["last_success_ms"]),
        last_error=now["last_error"],
        lag_s=now["lag_s"],
        heard=now["heard"],
        gaps=gaps,
    )


async def page(connection: AsyncConnection, filters: Filters) -> Page[SourceStatus]:
    """The sources that pass the filters, by name: `source` names them, anything else asks for a mention of theirs that passes.

    Raises FilterError for a cursor of another list.
    """
    filters = await of_present(connection, filters)
    after = ""
    if filters.cursor is not None:
        if len(filters.cursor) != 1 or not isinstance(filters.cursor[0], str):
            raise FilterError("the cursor belongs to another list; start again without it")
        after = filters.cursor[0]
    of_mentions = msgspec.structs.replace(filters, source=(), limit=1, cursor=None)
    asked = of_mentions != Filters(limit=1)
    items: list[SourceStatus] = []
    for one in await listing(connection):
        if one.name <= after or (filters.source and one.name not in filters.source):
            continue
        if asked:
            heard_there = msgspec.structs.replace(of_mentions, source=(one.name,))
            if not (await mentions.page(connection, heard_there)).items:
                continue
        if len(items) == filters.limit:
            return Page(items=items, next=make_cursor(items[-1].name))
        items.append(one)
    return Page(items=items, next=None)
