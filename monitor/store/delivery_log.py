"""The log of deliveries as a whole: sending all of a time again, and forgetting what is old. Both in small steps, each short."""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import endpoints
from monitor.store.filters import Filters, number_range
from monitor.store.tables import delivery
from monitor.words import now_ms

STEP = 500  # deliveries in one transaction, so that no other writer waits for long
Settled = Literal["dead", "delivered", "any"]


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are to be sent again: to this endpoint, made in this time (ids, low inclusive, high exclusive)."""

    endpoint: str
    low: int
    high: int
    state: Settled = "dead"


def again(endpoint: str, filters: Filters, state: Settled = "dead") -> Again:
    """The deliveries to an endpoint that were made since `filters.since` and before `filters.until`."""
    low, high = number_range(filters)
    return Again(endpoint=endpoint, low=low, high=high, state=state)


async def count_again(connection: AsyncConnection, wanted: Again) -> int:
    """How many there are."""
    return int((await connection.execute(select(func.count()).select_from(delivery).where(_which(wanted)))).scalar_one())


async def redeliver_some(connection: AsyncConnection, wanted: Again, now: int | None = None) -> tuple[int, Again | None]:
    """Puts the oldest of them, at most `STEP`, back into the queue as `deliveries.redeliver` does; how many, and what is left.

    A disabled endpoint is enabled. One that is settled again meanwhile is not put back twice: what is left begins after these.
    """
    await endpoints.enable(connection, wanted.endpoint)
    found = await connection.execute(select(delivery.c.id).where(_which(wanted)).order_by(delivery.c.id).limit(STEP))
    numbers = list(found.scalars())
    if not numbers:
        return 0, None
    put = await connection.execute(
        update(delivery)
        .where(delivery.c.id.in_(numbers), _settled(wanted.state))
        .values(state="pending", next_ms=now_ms() if now is None else now, tries=0)
        .returning(delivery.c.id)
    )
    left = msgspec.structs.replace(wanted, low=numbers[-1] + 1) if len(numbers) == STEP else None
    return len(put.all()), left


async def forget_some(connection: AsyncConnection, before_ms: int) -> int:
    """Removes at most `STEP` deliveries, with their attempts, that were made before then and are not pending; how many."""
    old = (
        select(delivery.c.id)
        .where(delivery.c.id < before_ms << 21, _settled("any"))
        .order_by(delivery.c.id)
        .limit(STEP)
        .with_for_update(skip_locked=True)
    )
    removed = await connection.execute(delete(delivery).where(delivery.c.id.in_(old)).returning(delivery.c.id))
    return len(removed.all())


def _which(wanted: Again) -> ColumnElement[bool]:
    within = (delivery.c.id >= wanted.low) & (delivery.c.id < wanted.high)
    return within & (delivery.c.endpoint == wanted.endpoint) & _settled(wanted.state)


def _settled(state: Settled) -> ColumnElement[bool]:
    return delivery.c.state.in_(["dead", "delivered"] if state == "any" else [state])
