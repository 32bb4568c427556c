"""Walks along the mentions that look at each when it has a certain age.

A mention's id grows with the time of its arrival, so a walk is one number: the id up to which all were looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.source_tables import sweep
from monitor.store.tables import mention
from monitor.store.upsert import upsert

_LIVE = ("live", "edited")


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A mention that has come of age: its stored id, platform, and id there."""

    id: int
    platform: str
    platform_id: str


def id_at(ms: int) -> int:
    """The least id that a mention heard at this time (ms) can have."""
    return max(0, ms) << 21


async def upto(connection: AsyncConnection, name: str, step: str) -> int:
    """The id of the last mention that this walk looked at, 0 where it has not begun."""
    found = await connection.execute(select(sweep.c.upto).where(sweep.c.name == name, sweep.c.step == step))
    return int(found.scalar() or 0)


async def advance(connection: AsyncConnection, name: str, step: str, number: int) -> None:
    """Notes how far a walk got."""
    statement = upsert(connection, sweep).values(name=name, step=step, upto=number)
    await connection.execute(statement.on_conflict_do_update(index_elements=["name", "step"], set_={"upto": number}))


async def of_source(connection: AsyncConnection, source: str, after: int, before: int, most: int) -> list[Due]:
    """The source's mentions with ids between these two whose text is there, the oldest first."""
    where = (mention.c.source == source, mention.c.id > after, mention.c.id < before, mention.c.state.in_(_LIVE))
    return await _due(connection, where, most)


async def of_platform(connection: AsyncConnection, platform: str, after: int, before: int, most: int) -> list[Due]:
    """The same of a platform."""
    where = (mention.c.platform == platform, mention.c.id > after, mention.c.id < before, mention.c.state.in_(_LIVE))
    return await _due(connection, where, most)


async def not_verified(
    connection: AsyncConnection, platform: str, step: str, after: int, before: int, most: int
) -> list[Due]:  # fmt: skip
    """Those of a platform that their source's walk of this step has not come to."""
    done = select(sweep.c.upto).where(sweep.c.name == mention.c.source, sweep.c.step == step).scalar_subquery()
    where = (mention.c.platform == platform, mention.c.id > after, mention.c.id < before, mention.c.state.in_(_LIVE))
    return await _due(connection, (and_(*where), mention.c.id > func.coalesce(done, 0)), most)


async def platforms(connection: AsyncConnection) -> list[str]:
    """All platforms that a mention on record is from."""
    found: list[str] = []
    while True:  # from one to the next along the index, since to look at every mention takes long
        query = select(func.min(mention.c.platform)).where(mention.c.platform > (found[-1] if found else ""))
        following = (await connection.execute(query)).scalar()
        if following is None:
            return found
        found.append(following)


async def _due(connection: AsyncConnection, where: Sequence[object], most: int) -> list[Due]:
    query = select(mention.c.id, mention.c.platform, mention.c.platform_id).where(*where)  # type: ignore[arg-type]
    rows = await connection.execute(query.order_by(mention.c.id).limit(most))
    return [Due(id=row.id, platform=row.platform, platform_id=row.platform_id) for row in rows]
