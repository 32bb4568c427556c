"""Keeps the digests of what is forgotten, and finds what a person's request means."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.filters import mention_key
from monitor.store.source_tables import forgotten
from monitor.store.tables import mention
from monitor.store.upsert import upsert
from monitor.times import now_ms


async def digests(connection: AsyncConnection) -> list[str]:
    """The digests of all that is forgotten."""
    return list((await connection.execute(select(forgotten.c.digest))).scalars())


async def remember(connection: AsyncConnection, digests: Collection[str]) -> None:
    """Adds digests. Safe to repeat."""
    rows = [{"digest": digest, "at_ms": now_ms()} for digest in sorted(digests)]
    await connection.execute(upsert(connection, forgotten).on_conflict_do_nothing(), rows)


async def allow(connection: AsyncConnection, digests: Collection[str]) -> int:
    """Takes digests out again, so that what they stand for is taken in as before; how many there were."""
    gone = await connection.execute(delete(forgotten).where(forgotten.c.digest.in_(digests)).returning(forgotten.c.digest))
    return len(gone.all())


async def posts_at(connection: AsyncConnection, url: str) -> list[tuple[str, str]]:
    """The mentions (platform, id there) with this address, whose end may be a stroke or none."""
    bare = url.rstrip("/")
    rows = await connection.execute(
        select(mention.c.platform, mention.c.platform_id).where(mention.c.url.in_([bare, f"{bare}/"]))
    )
    return [(row.platform, row.platform_id) for row in rows]


async def post_named(connection: AsyncConnection, name: str) -> tuple[str, str] | None:
    """The mention (platform, id there) with this id: exowatch's own, or `platform:id`."""
    key = mention_key(name)
    if key is None:
        return None
    where = (mention.c.platform == key[0]) & (mention.c.platform_id == key[1]) if isinstance(key, tuple) else mention.c.id == key
    row = (await connection.execute(select(mention.c.platform, mention.c.platform_id).where(where))).one_or_none()
    return None if row is None else (row.platform, row.platform_id)
