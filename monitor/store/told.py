"""Who was sent word of a post, singly or in a digest: they are to hear when it is deleted.

Deliveries are what says so. A row therefore outlives the log of its attempts, until the post is erased (`delivery_log`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id, stored_id
from monitor.store.budgets import HOUR_MS, hour_of
from monitor.store.digests import hour_of_digest
from monitor.store.tables import alert, delivery, mention

GONE = ("deleted", "expired")
# How much later than its alert's the hour of a digest can be: a day for the longest plan, and what a late one is put off by.
_LATEST_MS = 48 * HOUR_MS
_MOST = 5_000  # values in one statement

# A sender moves its `next_ms` when it takes one, so this holds from before the first attempt on. It may hold of one that was put
# off and never sent: to be told of a deletion once too often does no harm, never to be told does.
TAKEN: ColumnElement[bool] = (delivery.c.attempts > 0) | (delivery.c.next_ms > 0)


async def told_of(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, set[str]]:
    """The endpoints that were, or may just now be, sent an alert about each of the mentions with these stored ids.

    Until this transaction ends no sender takes another delivery about them.
    """
    raised = await connection.execute(
        select(alert.c.id, alert.c.mention_id, alert.c.created_ms).where(alert.c.mention_id.in_(ids))
    )
    rows = list(raised)
    if not rows:
        return {}
    mentions_of: dict[int, set[int]] = {row.id: {row.mention_id} for row in rows}
    mentions_of.update(await digests_with(connection, rows))
    about = delivery.c.alert_id.in_(mentions_of)
    untaken = select(delivery.c.id).where(about, delivery.c.state == "pending", ~TAKEN)
    await connection.execute(untaken.order_by(delivery.c.id).with_for_update())
    told: dict[int, set[str]] = {}
    for row in await connection.execute(select(delivery.c.alert_id, delivery.c.endpoint).where(about, TAKEN)):
        for mention_id in mentions_of[row.alert_id]:
            told.setdefault(mention_id, set()).add(row.endpoint)
    return told


async def digests_with(connection: AsyncConnection, raised: Sequence[Any]) -> list[tuple[int, set[int]]]:
    """The digests that list some of these alerts, each with the mentions that those are about.

    A digest may be raised long after its hour, when its endpoint or the sender was away; its hour it keeps.
    """
    first = hour_of(min(row.created_ms for row in raised)) - HOUR_MS
    last = max(row.created_ms for row in raised) + _LATEST_MS
    since = min(row.id for row in raised)
    keys = await connection.execute(select(alert.c.id, alert.c.dedupe_key).where(alert.c.kind == "digest", alert.c.id > since))
    likely = [row.id for row in keys if first <= hour_of_digest(row.dedupe_key) <= last]
    about = {public_id("a", row.id): row.mention_id for row in raised}
    found = []
    for number, items in await _items(connection, likely):
        listed = {about[item["id"]] for item in items if item.get("id") in about}
        if listed:
            found.append((number, listed))
    return found


async def to_be_told(connection: AsyncConnection, alert_numbers: Sequence[int]) -> set[int]:
    """Those of the alerts with these stored ids that are about, or list one about, a mention that is not erased."""
    about = select(alert.c.id).join(mention, mention.c.id == alert.c.mention_id)
    kept = set((await connection.execute(about.where(alert.c.id.in_(alert_numbers), mention.c.state.not_in(GONE)))).scalars())
    of_digest = {
        number: {stored_id("m", item["mention_id"]) for item in items if item.get("mention_id")}
        for number, items in await _items(connection, alert_numbers)
    }
    named = sorted({number for numbers in of_digest.values() for number in numbers if number is not None})
    held: set[int | None] = set()
    for some in _in_parts(named):
        found = select(mention.c.id).where(mention.c.id.in_(some), mention.c.state.not_in(GONE))
        held.update((await connection.execute(found)).scalars())
    return kept | {number for number, numbers in of_digest.items() if not numbers.isdisjoint(held)}


async def _items(connection: AsyncConnection, numbers: Sequence[int]) -> list[tuple[int, list[dict[str, Any]]]]:
    """Those of these alerts that are digests, with what each lists."""
    found = []
    for some in _in_parts(numbers):
        query: Select[Any] = select(alert.c.id, alert.c.subject).where(alert.c.id.in_(some), alert.c.kind == "digest")
        found += [(row.id, list((row.subject or {}).get("items", ()))) for row in await connection.execute(query)]
    return found


def _in_parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[start : start + _MOST] for start in range(0, len(numbers), _MOST))
