"""Reads mentions back: one, or a page of them, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, column, func, select, table, true
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import search
from monitor.store.filters import Filters, make_cursor, mention_key, number_range
from monitor.store.tables import claim, mention, mention_text, occurrence
from monitor.words import Evidence, Mention, Occurrence, Page, public_id, rfc3339

# Words that stand in fewer than one in two hundred of the newest five thousand mentions are looked for by their index alone.
_LOOKED_AT = 5_000
_RARE = 1 / 200


async def page(connection: AsyncConnection, filters: Filters) -> Page[Mention]:
    """The mentions that pass the filters, newest first. Raises FilterError for a cursor of another list."""
    rare = connection.dialect.name == "postgresql" and bool(filters.text) and await _is_rare(connection, filters)
    numbers = list((await connection.execute(_numbers(connection.dialect.name, filters, rare=rare))).scalars())
    items = await load(connection, numbers[: filters.limit])
    more = len(numbers) > filters.limit
    return Page(items=items, next=make_cursor(numbers[filters.limit - 1]) if more else None)


async def find(connection: AsyncConnection, name: str) -> Mention | None:
    """The mention with this id (exowatch's own, or `platform:id`), or None."""
    key = mention_key(name)
    if isinstance(key, tuple):
        where = (mention.c.platform == key[0]) & (mention.c.platform_id == key[1])
        key = (await connection.execute(select(mention.c.id).where(where))).scalar()
    found = await load(connection, [key]) if key is not None else []
    return found[0] if found else None


async def load(connection: AsyncConnection, numbers: Sequence[int]) -> list[Mention]:
    """The mentions with these stored ids, in that order; those that are not there are left out."""
    if not numbers:
        return []
    rows = await connection.execute(
        select(mention, mention_text.c.text)
        .join(mention_text, mention_text.c.mention_id == mention.c.id, isouter=True)
        .where(mention.c.id.in_(numbers))
    )
    by_number = {row.id: row for row in rows}
    claims = await _occurrences(connection, {number: row.text for number, row in by_number.items()})
    return [_mention(by_number[number], claims.get(number, ())) for number in numbers if number in by_number]


async def _is_rare(connection: AsyncConnection, filters: Filters) -> bool:
    """Whether the words looked for stand in few mentions, by a look at the newest.

    PostgreSQL knows only how common the most common words are. For any other it walks the mentions from the newest on, which for
    a word of a hundred hits among a million means all of them.
    """
    low, high = number_range(filters)
    index = table("mention_search", column("id"), column("words"))
    newest = (
        select(index.c.words).where(index.c.id >= low, index.c.id < high).order_by(index.c.id.desc()).limit(_LOOKED_AT)
    ).subquery("mention_search")
    hits = select(func.count()).select_from(newest).where(search.search_clause("postgresql", filters.text))
    return int((await connection.execute(hits)).scalar_one()) < _LOOKED_AT * _RARE


def _numbers(dialect: str, filters: Filters, *, rare: bool) -> Select[Any]:
    """The ids of a page and one more."""
    query, number = matching(dialect, filters, rare=rare)
    return query.order_by(number.desc()).limit(filters.limit + 1)


def matching(dialect: str, filters: Filters, *, rare: bool = False) -> tuple[Select[Any], Any]:
    """The ids of all mentions that pass the filters, unordered, and the column that they come from.

    What is asked for decides where the walk goes: the text index, the claims, or the mentions. Each of them can be walked in the
    order of the ids, so none has to be sorted; see docs/decisions/0004-time-ordered-ids.md. With `rare` (PostgreSQL) all hits of
    the words are taken from their index first.
    """
    low, high = number_range(filters)
    number: Any
    if filters.text:
        index = table("mention_search")
        number = search.search_rowid(dialect)
        query = select(number.label("id")).select_from(index).where(search.search_clause(dialect, filters.text))
        if rare:
            hits = query.where(number >= low, number < high).cte("hits").prefix_with("MATERIALIZED")
            number = hits.c.id
            query = select(number)
        if filters.of_occurrence:
            inside = select(1).where(occurrence.c.mention_id == number, of_occurrence(filters))
            if dialect == "postgresql":  # it may walk the claims beside the text, and would begin at the newest of all
                inside = inside.where(occurrence.c.mention_id >= low, occurrence.c.mention_id < high)
            query = query.where(inside.exists())
    elif filters.of_occurrence:
        number = occurrence.c.mention_id
        query = select(number).distinct().where(of_occurrence(filters))
    else:
        number = mention.c.id
        query = select(number)
    if filters.platform or filters.source:
        if number is mention.c.id:
            query = query.where(_of_mention(filters))
        else:
            query = query.where(select(1).where(mention.c.id == number, _of_mention(filters)).exists())
    return query.where(number >= low, number < high), number


def of_occurrence(filters: Filters) -> ColumnElement[bool]:
    """What the filters ask of an occurrence."""
    wanted = (
        (occurrence.c.type, filters.type),
        (occurrence.c.verdict, filters.verdict),
        (occurrence.c.stance, filters.stance),
        (occurrence.c.claim_id, filters.claim),
    )
    return and_(true(), *(column.in_(values) for column, values in wanted if values))


def _of_mention(filters: Filters) -> ColumnElement[bool]:
    wanted = ((mention.c.platform, filters.platform), (mention.c.source, filters.source))
    return and_(*(column.in_(values) for column, values in wanted if values))


async def _occurrences(connection: AsyncConnection, texts: dict[int, str | None]) -> dict[int, tuple[Occurrence, ...]]:
    rows = await connection.execute(
        select(occurrence, claim.c.claim, claim.c.evidence)
        .join(claim, claim.c.id == occurrence.c.claim_id)
        .where(occurrence.c.mention_id.in_(texts))
        .order_by(occurrence.c.mention_id, occurrence.c.n)
    )
    found: dict[int, tuple[Occurrence, ...]] = {}
    for row in rows:
        found[row.mention_id] = (*found.get(row.mention_id, ()), _occurrence(row, texts[row.mention_id]))
    return found


def _occurrence(row: Any, text: str | None) -> Occurrence:
    return Occurrence(
        quote=(text or "")[row.start : row.end],
        start=row.start,
        end=row.end,
        type=row.type,
        stance=row.stance,
        distance=row.distance,
        testimonial=row.testimonial,
        claim_id=row.claim_id,
        claim=row.claim,
        verdict=row.verdict,
        verdicts=row.verdicts,
        basis=row.basis,
        confidence=row.confidence,
        evidence=msgspec.convert(row.evidence, tuple[Evidence, ...]),
        why=row.why,
    )


def _mention(row: Any, claims: tuple[Occurrence, ...]) -> Mention:
    return Mention(
        id=public_id("m", row.id),
        platform=row.platform,
        platform_id=row.platform_id,
        source=row.source,
        url=row.url,
        author=row.author,
        text=row.text,
        language=row.language,
        created_at=rfc3339(row.created_ms),
        seen_at=rfc3339(row.seen_ms),
        edited_at=rfc3339(row.edited_ms),
        state=row.state,
        relevant=row.relevant,
        adverse_event=row.adverse_event,
        alert=row.alert,
        claims=claims,
    )
