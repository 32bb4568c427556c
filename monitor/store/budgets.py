"""Which alerts wait for an endpoint's digest: all of them where it asked for one, else what is over its budget of the hour.

An hour is one of the clock, in UTC, and an alert belongs to the one in which it was raised. The first `max_per_hour` of an hour
are delivered singly. Nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.settings.timing import DigestPlan
from monitor.store.tables import digest_item, endpoint_hour
from monitor.store.upsert import upsert
from monitor.words import AlertKind

HOUR_MS = 3_600_000
# Digests are raised so long after the hour: a transaction that began in it may be committed a little later.
SETTLE_MS = 2_000
# Harm is not to wait; the others are how delivery itself is spoken of.
NEVER_WAIT: frozenset[AlertKind] = frozenset({"safety.signal", "endpoint.disabled", "digest", "test"})


class Recipient(msgspec.Struct, frozen=True):
    """An endpoint that wants an alert, how many it takes singly within an hour (None: all), and its digest if it takes none."""

    name: str
    max_per_hour: int | None = None
    digest: DigestPlan | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that was just written, and who is to have it. `follows`: whether its claim had an alert before."""

    id: int
    kind: AlertKind
    created_ms: int
    mention_id: int | None
    recipients: tuple[Recipient, ...]
    follows: bool = False


def hour_of(ms: int) -> int:
    """The beginning of the hour that a time lies in (both ms)."""
    return ms // HOUR_MS * HOUR_MS


async def hold_back(connection: AsyncConnection, outgoing: Sequence[Outgoing]) -> set[tuple[int, str]]:
    """Counts alerts against the budgets of their recipients; the (alert id, endpoint name) that wait for a digest now.

    From here to its commit the transaction keeps the counts to itself, so this belongs at its end: whoever would take another
    row after it could wait for somebody who waits for the counts.
    """
    budgets: dict[str, int] = {}
    wanted: dict[tuple[str, int], list[int]] = {}
    rows: list[dict[str, Any]] = []
    for one in outgoing:
        for to in one.recipients:
            if one.kind in NEVER_WAIT:
                continue
            if to.digest is not None:
                due_ms = to.digest.next_after(one.created_ms) + SETTLE_MS
                rows.append({"endpoint": to.name, "alert_id": one.id, "due_ms": due_ms})
            elif to.max_per_hour is not None:
                budgets[to.name] = to.max_per_hour
                wanted.setdefault((to.name, hour_of(one.created_ms)), []).append(one.id)
    over = await _over(connection, budgets, wanted)
    for (name, hour_ms), alert_ids in over.items():
        due_ms = hour_ms + HOUR_MS + SETTLE_MS
        rows += [{"endpoint": name, "alert_id": alert_id, "due_ms": due_ms} for alert_id in alert_ids]
    if rows:
        await connection.execute(insert(digest_item), rows)
    return {(row["alert_id"], row["endpoint"]) for row in rows}


async def _over(
    connection: AsyncConnection, budgets: Mapping[str, int], wanted: Mapping[tuple[str, int], Sequence[int]]
) -> dict[tuple[str, int], list[int]]:
    """The alerts that are over the budgets, by (endpoint name, hour)."""
    over = {}
    for name, hour_ms in sorted(wanted):  # the same order everywhere, so that two writers cannot deadlock
        alert_ids = sorted(wanted[name, hour_ms])
        before = await _count(connection, name, hour_ms, len(alert_ids))
        over[name, hour_ms] = alert_ids[max(0, budgets[name] - before) :]
        if before == 0:
            await _forget_before(connection, hour_ms - HOUR_MS)
    return over


async def _count(connection: AsyncConnection, name: str, hour_ms: int, more: int) -> int:
    """Adds to an endpoint's alerts of an hour; how many there were before."""
    statement = upsert(connection, endpoint_hour).values(endpoint=name, hour_ms=hour_ms, alerts=more)
    counted = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["endpoint", "hour_ms"], set_={"alerts": endpoint_hour.c.alerts + statement.excluded.alerts}
        ).returning(endpoint_hour.c.alerts)
    )
    return int(counted.scalar_one()) - more


async def _forget_before(connection: AsyncConnection, hour_ms: int) -> None:
    """Removes counts of earlier hours, except those that somebody else has in hand: they go next time."""
    keys = endpoint_hour.c.endpoint, endpoint_hour.c.hour_ms
    old = select(*keys).where(endpoint_hour.c.hour_ms < hour_ms).with_for_update(skip_locked=True)
    await connection.execute(delete(endpoint_hour).where(tuple_(*keys).in_(old)))
