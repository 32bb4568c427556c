"""Reads claims back: one, or a page of them, the latest first seen first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.filters import FilterError, Filters, make_cursor
from monitor.store.merged import of_present
from monitor.store.own_claims import OWN, quotes_of
from monitor.store.search import first_saying
from monitor.store.tables import claim, claim_platform, mention, mention_watch, occurrence
from monitor.times import now_ms, rfc3339
from monitor.words import Claim, Page

# Made once: to put these together for a page or a batch takes longer than to run them.
_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_CLAIMS = select(claim).where(claim.c.id.in_(_IDS))
_PLATFORMS = (
    select(claim_platform)
    .where(claim_platform.c.claim_id.in_(_IDS), claim_platform.c.mentions > 0)
    .order_by(claim_platform.c.platform)
)


async def page(connection: AsyncConnection, filters: Filters) -> Page[Claim]:
    """The claims that pass the filters, the latest first seen first.

    `since` and `until` keep claims that were heard in that time; `text` looks in the claim's sentence; stance, source,
    platform, watch and doubtful ask for an occurrence like that. Raises FilterError for a cursor of another list.
    """
    filters = await of_present(connection, filters)
    query = (
        select(claim)
        .where(claim.c.merged_into.is_(None), *_conditions(filters))
        .order_by(claim.c.first_seen_ms.desc(), claim.c.id.desc())
    )
    if filters.cursor is not None:
        if len(filters.cursor) != 2 or not isinstance(filters.cursor[0], int) or not isinstance(filters.cursor[1], str):
            raise FilterError("the cursor belongs to another list; start again without it")
        query = query.where(tuple_(claim.c.first_seen_ms, claim.c.id) < filters.cursor)
    rows = await first_saying(connection, query, "claim", filters.text, filters.limit + 1)
    last = rows[filters.limit - 1] if len(rows) > filters.limit else None
    items = await _claims(connection, rows[: filters.limit])
    return Page(items=items, next=make_cursor(last.first_seen_ms, last.id) if last is not None else None)


async def find(connection: AsyncConnection, claim_id: str) -> Claim | None:
    """The claim with this id, or None; for one that was merged, the claim that it was merged into."""
    into = (await connection.execute(select(claim.c.merged_into).where(claim.c.id == claim_id))).scalar()
    found = await load(connection, [into or claim_id])
    return found[0] if found else None


async def known(connection: AsyncConnection, claim_ids: Sequence[str]) -> set[str]:
    """Those of the ids that a claim has, or had before it was merged."""
    return set((await connection.execute(select(claim.c.id).where(claim.c.id.in_(claim_ids)))).scalars())


async def load(connection: AsyncConnection, claim_ids: Sequence[str]) -> list[Claim]:
    """The claims with these ids, in no order; those that are not there are left out."""
    if not claim_ids:
        return []
    return await _claims(connection, (await connection.execute(_CLAIMS, {"ids": claim_ids})).all())


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, values in ((claim.c.type, filters.type), (claim.c.verdict, filters.verdict), (claim.c.id, filters.claim)):
        if values:
            conditions.append(column.in_(values))
    if filters.state:
        muted = func.coalesce(claim.c.muted_until_ms, 0) > now_ms()
        conditions.append(or_(*(muted if one == "muted" else and_(~muted, claim.c.state == one) for one in filters.state)))
    if filters.since is not None:
        conditions.append(claim.c.last_seen_ms >= filters.since)
    if filters.until is not None:
        conditions.append(claim.c.first_seen_ms < filters.until)
    asked: list[ColumnElement[bool]] = []
    if filters.stance:
        asked.append(occurrence.c.stance.in_(filters.stance))
    if filters.doubtful:
        asked.append(~occurrence.c.sure)
    heard = [
        column.in_(values)
        for column, values in ((mention.c.source, filters.source), (mention.c.platform, filters.platform))
        if values
    ]
    if heard:  # what only the occurrence knows is asked without a look at mentions
        asked += [occurrence.c.mention_id == mention.c.id, *heard]
    if filters.watch:
        # Once, from the mentions that speak of the names: they are few beside all that carry a claim.
        named = mention_watch.c.name.in_(filters.watch) & (mention_watch.c.mention_id == occurrence.c.mention_id)
        conditions.append(claim.c.id.in_(select(occurrence.c.claim_id).where(named, *asked)))
    elif filters.doubtful:  # likewise
        conditions.append(claim.c.id.in_(select(occurrence.c.claim_id).where(*asked)))
    elif asked:
        conditions.append(select(1).where(occurrence.c.claim_id == claim.c.id, *asked).exists())
    return conditions


async def _claims(connection: AsyncConnection, rows: Sequence[Any]) -> list[Claim]:
    if not rows:
        return []
    counted = await connection.execute(_PLATFORMS, {"ids": [row.id for row in rows]})
    platforms: dict[str, dict[str, int]] = {}
    for row in counted.all():
        platforms.setdefault(row.claim_id, {})[row.platform] = row.mentions
    quotes = await quotes_of(connection, [row.id for row in rows if row.proposition.startswith(OWN)])
    return [_claim(row, platforms.get(row.id, {}), quotes.get(row.id)) for row in rows]


def _claim(row: Any, platforms: dict[str, int], quote: str | None) -> Claim:
    return Claim(
        id=row.id,
        claim=row.claim if quote is None else f"{row.claim.removesuffix('.')}: “{quote}”",
        type=row.type,
        verdict=row.verdict,
        verdicts=row.verdicts,
        basis=row.basis,
        evidence=row.evidence,
        entry=row.entry,
        state="muted" if (row.muted_until_ms or 0) > now_ms() else row.state,
        first_seen=rfc3339(row.first_seen_ms),
        last_seen=rfc3339(row.last_seen_ms),
        mentions=row.mentions,
        authors=row.authors,
        platforms=platforms,
    )
