"""Authors whose post is gone: they stay counted, and nobody can tell who they were.

A claim counts its distinct authors by rows (`claim_author`). When the last post by which an author put a claim forward is erased,
a random token takes the author's place there, so that the count stays as it was.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.recount import put_forward
from monitor.store.tables import claim_author, mention, occurrence

TOKEN = "\x7f"  # noqa: S105 - how the token of an author who is gone begins; no name holds it (`monitor.intake`)


def shown_author(author: str | None) -> str | None:
    """An author as users may see it: a token is nobody."""
    return None if author is None or author.startswith(TOKEN) else author


async def take_out(connection: AsyncConnection, rows: Collection[Any]) -> None:
    """Takes the authors out of these mentions (rows of `mention`) and of the claims that they put forward there alone."""
    by_author: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if row.author is not None and not row.author.startswith(TOKEN):
            by_author.setdefault((row.platform, row.author), []).append(row.id)
    for (platform, author), numbers in sorted(by_author.items()):
        await _take_out(connection, platform, author, numbers)


async def _take_out(connection: AsyncConnection, platform: str, author: str, numbers: list[int]) -> None:
    here = select(occurrence.c.claim_id).where(occurrence.c.mention_id.in_(numbers), put_forward)
    elsewhere = (
        select(occurrence.c.claim_id)
        .join(mention, mention.c.id == occurrence.c.mention_id)
        .where(mention.c.platform == platform, mention.c.author == author, mention.c.id.not_in(numbers), put_forward)
    )
    alone = set((await connection.execute(here)).scalars())
    if alone:
        alone -= set((await connection.execute(elsewhere)).scalars())
    token = TOKEN + secrets.token_hex(8) if alone else None
    if alone:
        theirs = (
            claim_author.c.platform == platform,
            claim_author.c.author == author,
            claim_author.c.claim_id.in_(sorted(alone)),
        )
        await connection.execute(update(claim_author).where(*theirs).values(author=token))
    await connection.execute(update(mention).where(mention.c.id.in_(numbers)).values(author=token))
