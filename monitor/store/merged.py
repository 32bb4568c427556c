"""The ids that claims go by: whoever holds the id of a claim that was merged asks for the one that it is now."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.filters import Filters
from monitor.store.tables import claim


async def present_ids(connection: AsyncConnection, claim_ids: Iterable[str]) -> dict[str, str]:
    """The ids that these claims go by now, by those that are given."""
    ids = list(dict.fromkeys(claim_ids))
    merged = select(claim.c.id, claim.c.merged_into).where(claim.c.id.in_(ids), claim.c.merged_into.is_not(None))
    into = {row.id: row.merged_into for row in await connection.execute(merged)} if ids else {}
    return {claim_id: into.get(claim_id, claim_id) for claim_id in ids}


async def of_present(connection: AsyncConnection, filters: Filters) -> Filters:
    """The filters, asking for the claims by the ids that they go by now."""
    if not filters.claim:
        return filters
    ids = await present_ids(connection, filters.claim)
    return msgspec.structs.replace(filters, claim=tuple(dict.fromkeys(ids.values())))
