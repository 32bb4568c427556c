"""Claims that a review split off, and the claim that they were of when their mentions were heard."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.merged import present_ids
from monitor.store.tables import review


async def families(connection: AsyncConnection) -> dict[str, str]:
    """By the present ids of all claims that took part in a split: the id of the one that was there first."""
    rows = await connection.execute(select(review.c.claim_id, review.c.detail).where(review.c.action == "split"))
    sources = {row.claim_id: row.detail["from"] for row in rows if row.detail and "from" in row.detail}
    present = await present_ids(connection, {*sources, *sources.values()})
    parents = {present[new]: present[source] for new, source in sources.items() if present[new] != present[source]}

    def head(claim_id: str) -> str:
        seen: set[str] = set()
        while claim_id in parents and claim_id not in seen:  # merges may have closed a circle
            seen.add(claim_id)
            claim_id = parents[claim_id]
        return claim_id

    return {one: head(one) for pair in parents.items() for one in pair}
