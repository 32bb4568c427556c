"""The two places where a post's words are kept: as they were written, and folded for search."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import search
from monitor.store.tables import mention_text
from monitor.store.tags import tags_of
from monitor.words import Judgement, Post


async def write_texts(connection: AsyncConnection, written: Sequence[tuple[int, Post, Judgement]]) -> None:
    """Puts the words of these mentions, which have none there, into both places."""
    if not written:
        return
    name = connection.dialect.name
    texts = [{"mention_id": number, "text": post.text} for number, post, _ in written]
    rows = [search.index_row(name, number, post.text, tags_of(post, judgement)) for number, post, judgement in written]
    await connection.execute(insert(mention_text), texts)
    await connection.execute(sql(search.index_statement(name)), rows)


async def erase_texts(connection: AsyncConnection, mention_ids: Sequence[int]) -> None:
    """Takes the words of these mentions out of both places."""
    for mention_id in mention_ids:
        await connection.execute(delete(mention_text).where(mention_text.c.mention_id == mention_id))
        await connection.execute(sql(search.unindex_statement(connection.dialect.name)), {"id": mention_id})
