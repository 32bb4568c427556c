"""The queue of deliveries, which is the table of deliveries: taken by senders, settled by them, read back by users.

A sender takes a delivery by moving its `next_ms` into the future (a lease), in one statement: no two senders have the same one at
once, and one that is never settled, because its sender was killed, is simply due again. What is new (`next_ms` 0) goes out before
what is tried again, so that deliveries that fail do not hold up the others. Deliveries of one claim to one endpoint go out in the
order of their alerts, each only when the one before it has arrived or is dead.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, case, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.settings.endpoint import Endpoint
from monitor.store import alerts, endpoints, following
from monitor.store.budgets import Recipient
from monitor.store.endpoints import endpoint_statuses
from monitor.store.filters import Filters, make_cursor, number_range
from monitor.store.merged import of_present
from monitor.store.outbox import AlertDraft, raise_alerts
from monitor.store.search import first_saying
from monitor.store.tables import alert, attempt, delivery
from monitor.store.told import TAKEN
from monitor.times import now_ms, rfc3339
from monitor.words import Attempt, Delivery, DeliveryState, Page

# Spelt out and not a parameter: only so does SQLite see that the partial index serves.
_PENDING: ColumnElement[bool] = delivery.c.state == literal_column("'pending'")


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in a sender's hands until `lease_until` (ms). `attempts` counts all before, `tries` those of this round."""

    id: int
    alert_id: int
    endpoint: str
    webhook_id: str
    attempts: int
    tries: int
    lease_until: int


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as the sender saw it: when (ms), how long (ms), and what came of it."""

    at_ms: int
    ms: int
    status: int | None = None
    error: str | None = None
    answer: str | None = None


def _free() -> Select[Any]:
    """The deliveries that are pending at `:at`, no earlier delivery of the same claim being so, as they should go out."""
    mine, earlier, before = alert.alias("mine"), alert.alias("earlier"), delivery.alias("before")
    waits = (
        select(1)
        .select_from(
            mine.join(earlier, (earlier.c.claim_id == mine.c.claim_id) & (earlier.c.id < mine.c.id)).join(
                before, before.c.alert_id == earlier.c.id
            )
        )
        .where(mine.c.id == delivery.c.alert_id, before.c.endpoint == bindparam("at"), before.c.state == "pending")
        .correlate(delivery)
    )
    return (
        select(delivery.c.id, delivery.c.next_ms)
        .where(delivery.c.endpoint == bindparam("at"), _PENDING, ~waits.exists())
        .order_by(delivery.c.next_ms, delivery.c.alert_id)
    )


# Made once: to put these together takes longer than to run them.
_NEXT_DUE = _free().with_only_columns(delivery.c.next_ms).limit(1)
_DUE = (
    _free()
    .with_only_columns(delivery.c.id)
    .where(delivery.c.next_ms <= bindparam("now"))
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=delivery)  # of other senders on PostgreSQL; SQLite has one writer at a time
    .cte("due")
)
_TAKE = update(delivery).where(delivery.c.id.in_(select(_DUE.c.id))).values(next_ms=bindparam("lease_until"))
_TAKE = _TAKE.returning(delivery.c.id, delivery.c.alert_id, delivery.c.webhook_id, delivery.c.attempts, delivery.c.tries)
_ARRIVED = (
    update(delivery)
    .where(delivery.c.id.in_(bindparam("held", expanding=True)), delivery.c.next_ms == bindparam("until"), _PENDING)
    .values(state="delivered", next_ms=0, attempts=delivery.c.attempts + 1, tries=delivery.c.tries + 1)
    .returning(delivery.c.id, delivery.c.attempts)
)
_LOG = insert(attempt)
_GIVEN_BACK = (
    update(delivery)
    .where(delivery.c.id.in_(bindparam("held", expanding=True)), delivery.c.next_ms == bindparam("until"), _PENDING)
    .values(next_ms=case((delivery.c.attempts == 0, 0), else_=bindparam("now", type_=BigInteger)))
)


async def lease_due(connection: AsyncConnection, endpoint: str, now: int, limit: int, lease_ms: int) -> list[Due]:
    """Takes up to `limit` deliveries that are due at `now` (ms), for `lease_ms`; in the order in which they should go out."""
    until = now + lease_ms
    taken = await connection.execute(_TAKE, {"at": endpoint, "now": now, "most": limit, "lease_until": until})
    held = [
        Due(
            id=number,
            alert_id=alert_id,
            endpoint=endpoint,
            webhook_id=webhook_id,
            attempts=attempts,
            tries=tries,
            lease_until=until,
        )
        for number, alert_id, webhook_id, attempts, tries in taken.all()
    ]
    return sorted(held, key=lambda due: (due.tries > 0, due.alert_id))


async def give_back(connection: AsyncConnection, taken: Sequence[Due], now: int) -> None:
    """Makes deliveries that were taken and not tried due again, at `now` (ms), as far as they are still in the sender's hands."""
    for until, held in _by_lease(taken).items():
        await connection.execute(_GIVEN_BACK, {"held": held, "until": until, "now": now})


def _by_lease(taken: Iterable[Due]) -> dict[int, list[int]]:
    leases: dict[int, list[int]] = {}
    for due in taken:
        leases.setdefault(due.lease_until, []).append(due.id)
    return leases


async def next_due(connection: AsyncConnection, endpoint: str) -> int | None:
    """When something can be taken next (ms; 0 or past: now), None where nothing is pending."""
    return (await connection.execute(_NEXT_DUE, {"at": endpoint})).scalar()


async def settle(connection: AsyncConnection, due: Due, tried: Tried, state: DeliveryState, next_ms: int) -> None:
    """Writes an attempt into the log and what it makes of the delivery; `next_ms` is when a pending one is due again.

    A sender that was away for longer than its lease no longer decides: its attempt is logged, and only a success still counts.
    """
    ours = (delivery.c.next_ms == due.lease_until) & _PENDING
    settled = await connection.execute(
        update(delivery)
        .where(delivery.c.id == due.id, ours)
        .values(state=state, next_ms=next_ms, attempts=delivery.c.attempts + 1, tries=delivery.c.tries + 1)
        .returning(delivery.c.attempts)
    )
    number = settled.scalar()
    if number is None:
        late = {"state": "delivered"} if state == "delivered" else {}
        counted = update(delivery).where(delivery.c.id == due.id).values(attempts=delivery.c.attempts + 1, **late)
        number = (await connection.execute(counted.returning(delivery.c.attempts))).scalar()
        if late:
            await following.release_followers(connection, due.alert_id, due.endpoint, tried.at_ms)
    elif state == "pending":
        await following.put_off(connection, due.alert_id, due.endpoint, tried.at_ms, next_ms)
    if number is not None:
        await connection.execute(_LOG, _row(due, number, tried))


def _row(due: Due, number: int, tried: Tried) -> dict[str, Any]:
    return {"delivery_id": due.id, "n": number, **msgspec.structs.asdict(tried)}


async def settle_delivered(connection: AsyncConnection, arrived: Sequence[tuple[Due, Tried]]) -> None:
    """`settle` for deliveries that arrived, those of one lease together; where a lease ran out meanwhile, singly."""
    settled: dict[int, int] = {}
    for until, held in _by_lease(due for due, _ in arrived).items():
        rows_held = await connection.execute(_ARRIVED, {"held": held, "until": until})
        settled.update((number, attempts) for number, attempts in rows_held.all())
    rows = [_row(due, settled[due.id], tried) for due, tried in arrived if due.id in settled]
    if rows:
        await connection.execute(_LOG, rows)
    for due, tried in arrived:
        if due.id not in settled:
            await settle(connection, due, tried, "delivered", 0)


async def bury(connection: AsyncConnection, endpoint: str) -> int:
    """Makes every pending delivery of an endpoint dead (it can be sent again by hand); how many there were."""
    buried = await connection.execute(
        update(delivery).where(delivery.c.endpoint == endpoint, _PENDING).values(state="dead").returning(delivery.c.id)
    )
    return len(buried.all())


async def redeliver(connection: AsyncConnection, number: int, now: int | None = None) -> Delivery | None:
    """Puts a dead or delivered delivery back into the queue, due at `now` (ms; None: the present), at the schedule's beginning.

    It keeps its webhook-id and its attempts, and a disabled endpoint is enabled. A pending one stays as it is. None: no such id.
    """
    before = await find(connection, number)
    if before is None or before.state == "pending":
        return before
    await endpoints.enable(connection, before.endpoint)
    await connection.execute(
        update(delivery)
        .where(delivery.c.id == number, delivery.c.state.in_(["dead", "delivered"]))
        .values(state="pending", next_ms=now_ms() if now is None else now, tries=0)
    )
    return await find(connection, number)


async def raise_test(connection: AsyncConnection, endpoint: Endpoint) -> int:
    """Raises a `test` alert for one endpoint, whatever its filters, through the queue like all others; the delivery's id.

    A disabled endpoint is enabled.
    """
    await endpoints.declare(connection, [endpoint.name])
    (status,) = await endpoint_statuses(connection, [endpoint])
    draft = AlertDraft(
        kind="test",
        dedupe_key=f"test:{uuid.uuid4()}",
        summary=f"A test of the endpoint {endpoint.name}.",
        recipients=(Recipient(endpoint.name),),
        subject={"endpoint": msgspec.to_builtins(status)},
    )
    (raised,) = await raise_alerts(connection, [(draft, None, None)])
    found = await connection.execute(select(delivery.c.id).where(delivery.c.alert_id == raised))
    return int(found.scalar_one())


async def page(
    connection: AsyncConnection, filters: Filters, endpoint: str | None = None, state: DeliveryState | None = None
) -> Page[Delivery]:
    """The deliveries that pass the filters, newest first. They ask about the alert, as in `alerts.page`. Raises FilterError."""
    filters = await of_present(connection, filters)
    low, high = number_range(filters)
    query = select(delivery).where(delivery.c.id >= low, delivery.c.id < high)
    if filters.text:
        query = query.join(alert, alert.c.id == delivery.c.alert_id).add_columns(alert.c.summary)
    about = alerts.matching(select(alert.c.id), filters)
    if about is not None:
        query = query.where(delivery.c.alert_id.in_(about))
    if endpoint is not None:
        query = query.where(delivery.c.endpoint == endpoint)
    if state is not None:
        query = query.where(delivery.c.state == state)
    rows = await first_saying(connection, query.order_by(delivery.c.id.desc()), "summary", filters.text, filters.limit + 1)
    more = len(rows) > filters.limit
    items = await _deliveries(connection, rows[: filters.limit])
    return Page(items=items, next=make_cursor(rows[filters.limit - 1].id) if more else None)


async def of_alerts(connection: AsyncConnection, alert_numbers: Sequence[int]) -> list[Delivery]:
    """All deliveries of the alerts with these stored ids, by alert and endpoint."""
    rows = await connection.execute(
        select(delivery).where(delivery.c.alert_id.in_(alert_numbers)).order_by(delivery.c.alert_id, delivery.c.endpoint)
    )
    return await _deliveries(connection, list(rows))


async def find(connection: AsyncConnection, number: int) -> Delivery | None:
    """The delivery with this stored id, or None."""
    rows = list(await connection.execute(select(delivery).where(delivery.c.id == number)))
    found = await _deliveries(connection, rows)
    return found[0] if found else None


async def was_taken(connection: AsyncConnection, number: int) -> bool:
    """Whether a sender has, or had, this delivery in hand."""
    return (await connection.execute(select(delivery.c.id).where(delivery.c.id == number, TAKEN))).first() is not None


async def _deliveries(connection: AsyncConnection, rows: Sequence[Any]) -> list[Delivery]:
    if not rows:
        return []
    logged = await connection.execute(
        select(attempt).where(attempt.c.delivery_id.in_([row.id for row in rows])).order_by(attempt.c.delivery_id, attempt.c.n)
    )
    attempts: dict[int, list[Attempt]] = {}
    for row in logged:
        one = Attempt(at=rfc3339(row.at_ms), status=row.status, ms=row.ms, error=row.error, answer=row.answer)
        attempts.setdefault(row.delivery_id, []).append(one)
    return [
        Delivery(
            id=public_id("d", row.id),
            alert_id=public_id("a", row.alert_id),
            endpoint=row.endpoint,
            webhook_id=row.webhook_id,
            attempts=tuple(attempts.get(row.id, ())),
            state=row.state,
        )
        for row in rows
    ]


__all__ = [
    "Due",
    "Tried",
    "bury",
    "endpoint_statuses",
    "find",
    "give_back",
    "lease_due",
    "next_due",
    "of_alerts",
    "page",
    "raise_test",
    "redeliver",
    "settle",
    "settle_delivered",
    "was_taken",
]
