"""The two places where a post's words are kept: as they were written, and folded for search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import search
from monitor.store.judged import Judged
from monitor.store.tables import mention_text
from monitor.store.tags import tags_of


async def write_texts(connection: AsyncConnection, written: Mapping[int, Judged]) -> None:
    """Puts the words of these mentions, which have none there, into both places."""
    if not written:
        return
    name = connection.dialect.name
    texts = [{"mention_id": number, "text": one.post.text} for number, one in written.items()]
    rows = [
        search.index_row(name, number, one.post.text, tags_of(one.post, one.judgement, one.watch))
        for number, one in written.items()
    ]
    await connection.execute(insert(mention_text), texts)
    await connection.execute(sql(search.index_statement(name)), rows)


async def erase_texts(connection: AsyncConnection, mention_ids: Sequence[int]) -> None:
    """Takes the words of these mentions out of both places."""
    if not mention_ids:
        return
    await connection.execute(delete(mention_text).where(mention_text.c.mention_id.in_(mention_ids)))
    await connection.execute(sql(search.unindex_statement(connection.dialect.name)), [{"id": one} for one in mention_ids])
