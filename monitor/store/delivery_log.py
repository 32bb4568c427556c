"""The log of deliveries as a whole: sending all of a time again, and forgetting what is old. Both in small steps, each short."""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import endpoints
from monitor.store.filters import Filters, number_range
from monitor.store.tables import attempt, delivery
from monitor.store.told import TAKEN, to_be_told
from monitor.times import now_ms

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


class Old(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries whose time in the log is over (stored ids): those that go, those that keep their row, and where to look on."""

    spent: list[int]
    kept: list[int]
    last: int | None


async def find_old(connection: AsyncConnection, before_ms: int, after: int = 0) -> Old:
    """Looks through the next `STEP` deliveries after one (stored id) that were made before then (ms) and are not pending.

    Where an endpoint was sent word of a post that is on record, the row stays: it says whom to tell when that is deleted. Its
    attempts go, with what was answered.
    """
    settled = select(delivery.c.id, delivery.c.alert_id, TAKEN.label("taken")).where(
        delivery.c.id > after, delivery.c.id < before_ms << 21, _settled("any")
    )
    rows = (await connection.execute(settled.order_by(delivery.c.id).limit(STEP))).all()
    needed = await to_be_told(connection, [row.alert_id for row in rows if row.taken])
    spent = [row.id for row in rows if not row.taken or row.alert_id not in needed]
    others = {row.id for row in rows} - set(spent)
    logged = await connection.execute(select(attempt.c.delivery_id).where(attempt.c.delivery_id.in_(others)).distinct())
    return Old(spent=spent, kept=sorted(logged.scalars()), last=rows[-1].id if len(rows) == STEP else None)


async def forget(connection: AsyncConnection, old: Old) -> int:
    """Removes these deliveries, and of those that keep their row the attempts; how many there were. Pending ones stay whole."""
    there = select(delivery.c.id).where(delivery.c.id.in_([*old.spent, *old.kept]), _settled("any")).order_by(delivery.c.id)
    held = set((await connection.execute(there.with_for_update(skip_locked=True))).scalars())
    await connection.execute(delete(delivery).where(delivery.c.id.in_(held.intersection(old.spent))))
    await connection.execute(delete(attempt).where(attempt.c.delivery_id.in_(held.intersection(old.kept))))
    return len(held)


def _which(wanted: Again) -> ColumnElement[bool]:
    within = (delivery.c.id >= wanted.low) & (delivery.c.id < wanted.high)
    return within & (delivery.c.endpoint == wanted.endpoint) & _settled(wanted.state)


def _settled(state: Settled) -> ColumnElement[bool]:
    return delivery.c.state.in_(["dead", "delivered"] if state == "any" else [state])
