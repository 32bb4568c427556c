"""What waits for an endpoint's digest, and the one alert an hour or a day that tells of it.

An item is written in the transaction that raised its alert and removed in the one that raises the digest, so it is always in one
of the two. Any number of senders may look for due digests at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import alerts
from monitor.store.budgets import HOUR_MS, Recipient, hour_of
from monitor.store.outbox import AlertDraft, raise_alerts
from monitor.store.tables import alert, digest_item, endpoint
from monitor.times import rfc3339

MOST_ITEMS = 200  # that a digest lists; more than ever fit into the body of a webhook


class DueDigest(msgspec.Struct, frozen=True):
    """What waits for one endpoint since one hour is due (ms)."""

    endpoint: str
    due_ms: int


async def due(connection: AsyncConnection, endpoints: Sequence[str], now: int) -> list[DueDigest]:
    """The digests that these endpoints should have been told by `now` (ms), the earliest first."""
    found = await connection.execute(
        select(digest_item.c.endpoint, digest_item.c.due_ms)
        .where(digest_item.c.due_ms <= now, digest_item.c.endpoint.in_(endpoints))
        .distinct()
        .order_by(digest_item.c.due_ms, digest_item.c.endpoint)
    )
    return [DueDigest(row.endpoint, row.due_ms) for row in found]


async def raise_digest(connection: AsyncConnection, one: DueDigest, now: int, *, asked_for: bool = False) -> int | None:
    """Raises a digest of all that waits there, for that endpoint alone; its stored id. `asked_for`: by the endpoint itself.

    None where nothing waits any more, because another sender was here first. What was committed so late that its hour's digest is
    out already goes with the next hour's.
    """
    # The endpoint's row first, as everywhere: whoever else raises this digest waits here.
    await connection.execute(select(endpoint.c.name).where(endpoint.c.name == one.endpoint).with_for_update())
    hour_ms = hour_of(one.due_ms) - HOUR_MS
    key = f"digest:{one.endpoint}:{hour_ms}"  # `hour_of_digest` reads it
    items = (digest_item.c.endpoint == one.endpoint) & (digest_item.c.due_ms == one.due_ms)
    told = await connection.execute(select(alert.c.id).where(alert.c.dedupe_key == key))
    if told.first() is not None:
        await connection.execute(update(digest_item).where(items).values(due_ms=one.due_ms + HOUR_MS))
        return None
    removed = await connection.execute(delete(digest_item).where(items).returning(digest_item.c.alert_id))
    numbers = sorted(removed.scalars())
    if not numbers:
        return None
    draft = AlertDraft(
        kind="digest",
        dedupe_key=key,
        summary=_summary(one.endpoint, None if asked_for else hour_ms, len(numbers)),
        recipients=(Recipient(one.endpoint),),
        subject=await _subject(connection, numbers),
    )
    (raised,) = await raise_alerts(connection, [(draft, None, None)], now)
    return raised


def hour_of_digest(dedupe_key: str) -> int:
    """The hour (ms) before which a digest was due, whenever it was raised, by its key."""
    return int(dedupe_key.rpartition(":")[2])


async def waiting(connection: AsyncConnection) -> dict[str, int]:
    """How many alerts wait for the next digest, by endpoint; those where none do are left out."""
    rows = await connection.execute(
        select(digest_item.c.endpoint, func.count().label("number"))
        .group_by(digest_item.c.endpoint)
        .order_by(digest_item.c.endpoint)
    )
    return {row.endpoint: row.number for row in rows}


async def _subject(connection: AsyncConnection, numbers: Sequence[int]) -> dict[str, Any]:
    listed = await alerts.load(connection, numbers[:MOST_ITEMS])
    subject: dict[str, Any] = {
        "items": [msgspec.to_builtins(listed[number].alert) for number in sorted(listed)],
        "count": len(numbers),
    }
    return subject if len(listed) == len(numbers) else {**subject, "truncated": True}


def _summary(name: str, hour_ms: int | None, count: int) -> str:
    what = "1 alert" if count == 1 else f"{count} alerts"
    if hour_ms is None:
        return f"{what} for the endpoint {name} since its last digest."
    return f"{what} beyond the budget of the endpoint {name} in the hour from {rfc3339(hour_ms)[:16].replace('T', ' ')} UTC."
