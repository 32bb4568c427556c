"""How the sources are: written after every poll, read by whoever asks."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import mentions
from monitor.store.filters import FilterError, Filters, make_cursor
from monitor.store.merged import of_present
from monitor.store.tables import source
from monitor.store.upsert import upsert
from monitor.words import Page, SourceState, SourceStatus, now_ms, rfc3339

GAPS_KEPT = 20
_MAX_GAP = 500  # characters


async def declare(connection: AsyncConnection, sources: dict[str, str]) -> None:
    """Makes a row for each configured source ({name: kind}); one that is configured no longer is off."""
    for name, kind in sorted(sources.items()):
        statement = upsert(connection, source).values(name=name, kind=kind, state="waiting", gaps=[])
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"kind": kind, "state": "waiting", "failures": 0})
        )
    await connection.execute(update(source).where(source.c.name.not_in(sources)).values(state="off"))


async def heard(connection: AsyncConnection, name: str, *, posts: int, matched: int, lag_s: float | None, cursor: str) -> None:
    """Notes posts that were published. `lag_s`: age of the newest of them, None where no post says when it was made."""
    values: dict[str, Any] = {"heard": source.c.heard + posts, "matched": source.c.matched + matched, "cursor": cursor}
    if lag_s is not None:
        values["lag_s"] = lag_s
    await connection.execute(update(source).where(source.c.name == name).values(values))


async def note_gap(connection: AsyncConnection, name: str, what: str) -> None:
    """Notes that posts may have been missed, in words for the operator. The latest `GAPS_KEPT` are kept, in order."""
    row = (await connection.execute(select(source.c.gaps).where(source.c.name == name).with_for_update())).one_or_none()
    if row is None:
        return
    gaps = [*row.gaps, {"at": rfc3339(now_ms()), "what": what[:_MAX_GAP]}][-GAPS_KEPT:]
    await connection.execute(update(source).where(source.c.name == name).values(gaps=gaps))


async def succeeded(connection: AsyncConnection, name: str) -> None:
    """Notes a poll that went through."""
    values = {"state": "ok", "last_success_ms": now_ms(), "failures": 0}
    await connection.execute(update(source).where(source.c.name == name).values(values))


async def failed(connection: AsyncConnection, name: str, error: str, state: SourceState) -> None:
    """Notes a poll that did not, in the words for the operator."""
    values = {"state": state, "last_error": error[:1000], "last_error_ms": now_ms(), "failures": source.c.failures + 1}
    await connection.execute(update(source).where(source.c.name == name).values(values))


async def listing(connection: AsyncConnection) -> list[SourceStatus]:
    """Every source that is configured or once was, by name."""
    rows = await connection.execute(select(source).order_by(source.c.name))
    return [
        SourceStatus(
            name=row.name,
            kind=row.kind,
            state=row.state,
            last_success=rfc3339(row.last_success_ms),
            last_error=row.last_error,
            lag_s=row.lag_s,
            heard=row.heard,
            gaps=tuple(row.gaps),
        )
        for row in rows
    ]


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
