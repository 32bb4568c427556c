"""Brings authors on record under the present key, without changing what is counted by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.authors import TOKEN
from monitor.store.database import Database
from monitor.store.tables import claim, claim_author, mention
from monitor.store.upsert import upsert

AT_ONCE = 500


async def renew_all(
    database: Database, renewed: Callable[[str], str], generation: int, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Gives every author who is under an earlier key the name under that of `generation`; how many there were.

    It may be broken off and repeated at any time. `progress` is told of how many more were done. Raises StoreUnavailable.
    """
    count = 0
    while True:
        async with database.write() as connection:
            some = await _earlier(connection, generation)
            for platform, author in some:
                await _renew(connection, platform, author, renewed(author))
        count += len(some)
        progress(len(some))
        if not some:
            return count


async def waiting(connection: AsyncConnection, generation: int) -> int:
    """How many authors are under an earlier key."""
    counted = select(func.count()).select_from(_authors(generation).subquery())
    return int((await connection.execute(counted)).scalar_one())


async def _earlier(connection: AsyncConnection, generation: int) -> Sequence[tuple[str, str]]:
    rows = await connection.execute(_authors(generation).limit(AT_ONCE))
    return [(row.platform, row.author) for row in rows]


def _authors(generation: int):  # type: ignore[no-untyped-def]
    def earlier(column: ColumnElement[str]) -> ColumnElement[bool]:
        return column.is_not(None) & column.not_like(f"{generation}-%") & column.not_like(f"{TOKEN}%")

    return (
        select(mention.c.platform, mention.c.author)
        .where(earlier(mention.c.author))
        .union(select(claim_author.c.platform, claim_author.c.author).where(earlier(claim_author.c.author)))
    )


async def _renew(connection: AsyncConnection, platform: str, old: str, new: str) -> None:
    theirs = (mention.c.platform == platform, mention.c.author == old)
    await connection.execute(update(mention).where(*theirs).values(author=new))
    before = (claim_author.c.platform == platform, claim_author.c.author == old)
    claims = sorted((await connection.execute(select(claim_author.c.claim_id).where(*before))).scalars())
    if not claims:
        return
    known = set(
        (
            await connection.execute(
                select(claim_author.c.claim_id).where(
                    claim_author.c.platform == platform, claim_author.c.author == new, claim_author.c.claim_id.in_(claims)
                )
            )
        ).scalars()
    )
    rows = [{"claim_id": one, "platform": platform, "author": new} for one in claims]
    await connection.execute(upsert(connection, claim_author).on_conflict_do_nothing(), rows)
    await connection.execute(claim_author.delete().where(*before))
    for one in sorted(known):  # a process with the earlier key counted the same author twice
        await connection.execute(update(claim).where(claim.c.id == one).values(authors=claim.c.authors - 1))
