"""The posts of a case file: where a claim was first put forward and where last, and how many lie between or are left out."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.detail import Place, places_of
from monitor.store.recount import put_forward
from monitor.store.tables import mention, occurrence

FIRST = 100  # posts from the first one heard on
NEWEST = 400


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Where a claim is put forward by posts that are still there, in the order in which they were heard.

    `first` are all of these places where there are few; else those of the first posts heard and of the one that its platform
    dates earliest, and `newest` those of the last. `between` counts the posts that are in neither, `posts` all of them. `others`
    are the places where the claim is denied, asked about or reported at a distance, `deleted` those in posts that were deleted.
    """

    first: list[Place]
    newest: list[Place]
    posts: int
    between: int
    others: int
    deleted: int


async def told(connection: AsyncConnection, claim_id: str, *, first: int = FIRST, newest: int = NEWEST) -> Told:
    """The posts of the claim with this id, which was not merged: so many of the first and so many of the newest."""
    there = mention.c.state != "deleted"
    counts = (
        select(
            func.count(func.distinct(occurrence.c.mention_id)).filter(put_forward, there).label("posts"),
            func.count().filter(~put_forward, there).label("others"),
            func.count().filter(~there).label("deleted"),
        )
        .join_from(occurrence, mention, mention.c.id == occurrence.c.mention_id)
        .where(occurrence.c.claim_id == claim_id)
    )
    counted = (await connection.execute(counts)).one()
    numbers = (
        select(occurrence.c.mention_id)
        .distinct()
        .join(mention, mention.c.id == occurrence.c.mention_id)
        .where(occurrence.c.claim_id == claim_id, put_forward, there)
    )
    few = counted.posts <= first + newest
    early = await _numbers(connection, numbers.order_by(occurrence.c.mention_id).limit(first + newest if few else first))
    late: list[int] = []
    if not few:
        late = (await _numbers(connection, numbers.order_by(occurrence.c.mention_id.desc()).limit(newest)))[::-1]
        # What a source catches up on is heard later than it was posted.
        dated = numbers.where(mention.c.created_ms.is_not(None)).add_columns(mention.c.created_ms)
        oldest = await _numbers(connection, dated.order_by(mention.c.created_ms, occurrence.c.mention_id).limit(1))
        early += [number for number in oldest if number not in early and number not in late]
    return Told(
        first=await _places(connection, early, claim_id),
        newest=await _places(connection, late, claim_id),
        posts=counted.posts,
        between=counted.posts - len(early) - len(late),
        others=counted.others,
        deleted=counted.deleted,
    )


async def _numbers(connection: AsyncConnection, query: Select[Any]) -> list[int]:
    return list((await connection.execute(query)).scalars())


async def _places(connection: AsyncConnection, numbers: list[int], claim_id: str) -> list[Place]:
    return [place for place in await places_of(connection, numbers, claim_id) if place.put_forward]
