"""Reads alerts back: one, or a page of them, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.store.filters import NOBODY, Filters, make_cursor, number_range
from monitor.store.merged import of_present
from monitor.store.search import first_saying
from monitor.store.tables import alert, claim, mention, mention_watch, occurrence
from monitor.times import rfc3339
from monitor.words import Alert, Page

_ALERTS = select(alert).where(alert.c.id.in_(bindparam("numbers", expanding=True)))


async def page(connection: AsyncConnection, filters: Filters) -> Page[Alert]:
    """The alerts that pass the filters, newest first.

    Filters ask about the occurrence and the mention that raised the alert, `text` about its summary; state, kind and assignee
    about itself. Raises FilterError for a cursor of another list.
    """
    rows, following = await rows_of_page(connection, filters)
    return Page(items=[alert_of(row) for row in rows], next=following)


async def rows_of_page(connection: AsyncConnection, filters: Filters) -> tuple[list[Any], str | None]:
    """The rows of such a page, and the cursor of the next one."""
    filters = await of_present(connection, filters)
    low, high = number_range(filters)
    query = select(alert).where(alert.c.id >= low, alert.c.id < high)
    query = query if (found := matching(query, filters)) is None else found
    rows = await first_saying(connection, query.order_by(alert.c.id.desc()), "summary", filters.text, filters.limit + 1)
    more = len(rows) > filters.limit
    return list(rows[: filters.limit]), make_cursor(rows[filters.limit - 1].id) if more else None


def matching(query: Select[Any], filters: Filters) -> Select[Any] | None:
    """A query on alerts narrowed to those that the filters describe (time, text, cursor apart); None where they describe none."""
    wanted = [
        (column, values)
        for column, values in (
            (claim.c.type, filters.type),
            (occurrence.c.verdict, filters.verdict),
            (occurrence.c.stance, filters.stance),
            (alert.c.claim_id, filters.claim),
            (mention.c.source, filters.source),
            (mention.c.platform, filters.platform),
            (occurrence.c.sure, (False,) if filters.doubtful else ()),
        )
        if values
    ]
    in_hands_of = tuple("" if name == NOBODY else name for name in filters.assignee)
    own = ((alert.c.kind, filters.kind), (alert.c.state, filters.state), (func.coalesce(alert.c.assignee, ""), in_hands_of))
    for column, asked in own:
        if asked:
            query = query.where(column.in_(asked))
    if filters.watch:
        named = select(1).where(mention_watch.c.mention_id == alert.c.mention_id, mention_watch.c.name.in_(filters.watch))
        query = query.where(named.exists())
    if not wanted:
        return query if filters.watch or any(asked for _, asked in own) else None
    query = (
        query.join(claim, claim.c.id == alert.c.claim_id, isouter=True)
        .join(mention, mention.c.id == alert.c.mention_id, isouter=True)
        .join(
            occurrence,
            and_(occurrence.c.mention_id == alert.c.mention_id, occurrence.c.n == alert.c.occurrence_n),
            isouter=True,
        )
    )
    for column, values in wanted:
        query = query.where(column.in_(values))
    return query


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """An alert with what it points to: stored ids, the occurrence's place in the mention, and what it speaks of otherwise."""

    alert: Alert
    created_ms: int
    mention: int | None
    occurrence: int | None
    subject: dict[str, Any] | None


async def load(connection: AsyncConnection, numbers: Sequence[int]) -> dict[int, Raised]:
    """The alerts with these stored ids and what they point to; those that are not there are left out."""
    rows = await connection.execute(_ALERTS, {"numbers": numbers})
    return {
        row.id: Raised(
            alert=alert_of(row),
            created_ms=row.created_ms,
            mention=row.mention_id,
            occurrence=row.occurrence_n,
            subject=row.subject,
        )
        for row in rows.all()
    }


def alert_of(row: Any) -> Alert:
    """An alert as users read it, from its row."""
    return Alert(
        id=public_id("a", row.id),
        kind=row.kind,
        created_at=rfc3339(row.created_ms),
        claim_id=row.claim_id,
        mention_id=None if row.mention_id is None else public_id("m", row.mention_id),
        summary=row.summary,
    )
