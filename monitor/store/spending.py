"""What was spent today on a classifier that costs something: one row a UTC day and unit, the same for all processes.

An amount is taken before a request goes out and corrected when its price is known, so that a process that is killed in between
has spent too much on record and never too little.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.tables import spending
from monitor.store.upsert import upsert

Unit = Literal["nanodollars", "tokens"]


async def take(connection: AsyncConnection, day: str, unit: Unit, amount: int, cap: int) -> bool:
    """Adds the amount where less than the cap was spent on that day (`2026-11-22`); whether it did."""
    await connection.execute(upsert(connection, spending).values(day=day, unit=unit, amount=0).on_conflict_do_nothing())
    taken = await connection.execute(
        update(spending)
        .where(spending.c.day == day, spending.c.unit == unit, spending.c.amount < cap)
        .values(amount=spending.c.amount + amount)
        .returning(spending.c.day)
    )
    return taken.first() is not None


async def correct(connection: AsyncConnection, day: str, unit: Unit, by: int) -> None:
    """Adds a difference, which may be negative, to what was taken on that day."""
    await connection.execute(
        update(spending).where(spending.c.day == day, spending.c.unit == unit).values(amount=spending.c.amount + by)
    )


async def spent(connection: AsyncConnection, day: str, unit: Unit) -> int:
    """What was spent on that day, requests in flight included."""
    amount = await connection.execute(select(spending.c.amount).where(spending.c.day == day, spending.c.unit == unit))
    return amount.scalar() or 0
