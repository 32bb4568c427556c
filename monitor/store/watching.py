"""Which names of the watchlist mentions on record speak of: looked at again after the list has changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import recount
from monitor.store.tables import mention, mention_text, mention_watch
from monitor.store.verdicts import lock_mentions


class NamesOnFile(msgspec.Struct, frozen=True, kw_only=True):
    """A mention whose text is on record, and the names that it is known to speak of."""

    number: int
    text: str
    text_version: str
    names: frozenset[str]


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names that a mention speaks of, in the text of this version."""

    number: int
    text_version: str
    names: tuple[str, ...]


async def any_names(connection: AsyncConnection) -> bool:
    """Whether any mention speaks of any name."""
    return (await connection.execute(select(mention_watch.c.name).limit(1))).first() is not None


async def after(connection: AsyncConnection, number: int, places: tuple[int, int], limit: int) -> list[NamesOnFile]:
    """The next mentions of these ids (from inclusive to exclusive) that have a text, in the order of their ids."""
    low, high = places
    rows = list(
        await connection.execute(
            select(mention.c.id, mention.c.text_version, mention_text.c.text)
            .join(mention_text, mention_text.c.mention_id == mention.c.id)
            .where(mention.c.id > number, mention.c.id >= low, mention.c.id < high, mention.c.state != "deleted")
            .order_by(mention.c.id)
            .limit(limit)
        )
    )
    names: dict[int, set[str]] = {row.id: set() for row in rows}
    for one in await connection.execute(select(mention_watch).where(mention_watch.c.mention_id.in_(names))):
        names[one.mention_id].add(one.name)
    return [
        NamesOnFile(number=row.id, text=row.text, text_version=row.text_version, names=frozenset(names[row.id])) for row in rows
    ]


async def put(connection: AsyncConnection, batch: Sequence[Names]) -> int:
    """Says of these mentions that they speak of these names and no others; of how many. A text that is another by now is left."""
    by_number = {one.number: one for one in batch}
    await lock_mentions(connection, by_number)
    there = select(mention.c.id, mention.c.text_version).where(mention.c.id.in_(by_number), mention.c.state != "deleted")
    same = [row.id for row in await connection.execute(there) if by_number[row.id].text_version == row.text_version]
    if not same:
        return 0
    await connection.execute(delete(mention_watch).where(mention_watch.c.mention_id.in_(same)))
    rows = [{"mention_id": number, "name": name} for number in sorted(same) for name in by_number[number].names]
    if rows:
        await connection.execute(insert(mention_watch), rows)
    await recount.mentions(connection, same)
    return len(same)
