"""Brings what follows from occurrences to date after these were put under another claim, or judged by another verdict."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, except_, func, insert, or_, select, tuple_, update
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.tables import claim, claim_author, claim_platform, mention, occurrence


def putting_forward(one: Any) -> ColumnElement[bool]:
    """`Occurrence.put_forward` of a row of the table `occurrence`, under whatever name."""
    return or_(one.c.stance == "asserts", and_(one.c.stance == "reports", one.c.distance.is_(False)))


put_forward = putting_forward(occurrence)

_TAGS = """ARRAY['platform:' || m.platform, 'source:' || m.source] || COALESCE((
        SELECT array_agg(DISTINCT tag)
        FROM occurrence o, unnest(
            ARRAY['type:' || o.type, 'verdict:' || o.verdict, 'stance:' || o.stance, 'claim:' || o.claim_id]
        ) tag
        WHERE o.mention_id = m.id
    ), '{}') || COALESCE((SELECT array_agg('watch:' || name) FROM mention_watch w WHERE w.mention_id = m.id), '{}')"""
_RETAG = f"""
    UPDATE mention_search SET tags = {_TAGS}
    FROM mention m
    WHERE m.id = mention_search.id AND m.id IN """
_RETAG_CARRYING = sql(_RETAG + "(SELECT mention_id FROM occurrence WHERE claim_id = :claim)")
_RETAG_THESE = sql(_RETAG + ":numbers").bindparams(bindparam("numbers", expanding=True))
_TAGS_OF_THESE = sql(f"SELECT m.id, {_TAGS} FROM mention m WHERE m.id IN :numbers").bindparams(
    bindparam("numbers", expanding=True)
)


async def mentions_of(connection: AsyncConnection, claim_id: str) -> None:
    """`alert`, and what mentions can be filtered by, of all mentions that carry the claim."""
    await _flag(connection, select(occurrence.c.mention_id).where(occurrence.c.claim_id == claim_id))
    if connection.dialect.name == "postgresql":
        await connection.execute(_RETAG_CARRYING, {"claim": claim_id})


async def mentions(connection: AsyncConnection, numbers: Collection[int]) -> None:
    """The same, of these mentions."""
    if not numbers:
        return
    await _flag(connection, numbers)
    if connection.dialect.name == "postgresql":
        await connection.execute(_RETAG_THESE, {"numbers": list(numbers)})


async def tags(connection: AsyncConnection, numbers: Collection[int]) -> dict[int, list[str]]:
    """What these mentions can be found by beside their words, as PostgreSQL's text index has it; empty on SQLite."""
    if connection.dialect.name != "postgresql" or not numbers:
        return {}
    found = await connection.execute(_TAGS_OF_THESE, {"numbers": list(numbers)})
    return {number: list(given) for number, given in found}


async def _flag(connection: AsyncConnection, which: Any) -> None:
    alerting = (
        select(1)
        .where(occurrence.c.mention_id == mention.c.id, occurrence.c.verdict != "supported", put_forward)
        .correlate(mention)
    )
    await connection.execute(update(mention).where(mention.c.id.in_(which)).values(alert=alerting.exists()))


async def numbers_of(connection: AsyncConnection, claim_id: str) -> None:
    """A claim's mentions, platforms and times, from its occurrences."""
    of_claim = occurrence.c.claim_id == claim_id
    await connection.execute(delete(claim_platform).where(claim_platform.c.claim_id == claim_id))
    carrying: Select[Any] = (
        select(occurrence.c.claim_id, mention.c.platform, func.count(func.distinct(mention.c.id)))
        .join(mention, mention.c.id == occurrence.c.mention_id)
        .where(of_claim)
        .group_by(occurrence.c.claim_id, mention.c.platform)
    )
    await connection.execute(insert(claim_platform).from_select(["claim_id", "platform", "mentions"], carrying))
    seen = select(func.count(func.distinct(mention.c.id)), func.min(mention.c.seen_ms), func.max(mention.c.seen_ms)).join(
        occurrence, occurrence.c.mention_id == mention.c.id
    )
    mentions, first_ms, last_ms = (await connection.execute(seen.where(of_claim))).one()
    forward_ms = (await connection.execute(seen.where(of_claim, put_forward, mention.c.fresh))).one()[2]
    authors = select(func.count()).where(claim_author.c.claim_id == claim_id).scalar_subquery()
    values: dict[str, Any] = {"mentions": mentions, "authors": authors, "put_forward_ms": forward_ms}
    if mentions:
        values |= {"first_seen_ms": first_ms, "last_seen_ms": last_ms}
    await connection.execute(update(claim).where(claim.c.id == claim_id).values(values))


async def authors_of(connection: AsyncConnection, claim_id: str) -> None:
    """Takes from a claim the authors who put it forward no more. `numbers_of` counts those who stay."""
    name = (claim_author.c.platform, claim_author.c.author)
    saying = (
        select(mention.c.platform, mention.c.author)
        .join(occurrence, occurrence.c.mention_id == mention.c.id)
        .where(occurrence.c.claim_id == claim_id, put_forward, mention.c.author.is_not(None))
    )
    # All who said it less those who do: "not in" would compare each with each where a claim has very many.
    gone = except_(select(*name).where(claim_author.c.claim_id == claim_id), saying)
    await connection.execute(delete(claim_author).where(claim_author.c.claim_id == claim_id, tuple_(*name).in_(gone)))
