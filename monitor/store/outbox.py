"""Raises alerts: each once, by its `dedupe_key`, in the transaction of what caused it, with a delivery for each endpoint.

Where an endpoint's budget for the hour is spent, the alert waits for its digest instead (`budgets`).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.store import following
from monitor.store.budgets import Outgoing, Recipient, hold_back
from monitor.store.tables import alert, delivery
from monitor.store.upsert import insert_new
from monitor.times import now_ms
from monitor.words import AlertKind


class AlertDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An alert to be raised unless its `dedupe_key` has been raised before, and the endpoints that want it.

    Where it is about a claim, its key names the claim's id. `authors` and `quiet_ms` are what the record must say of the claim:
    that so many distinct authors put it forward; that nobody did for so long before (milliseconds), when the key is completed by
    the time of the last one.
    """

    kind: AlertKind
    dedupe_key: str
    summary: str
    recipients: tuple[Recipient, ...] = ()
    occurrence: int | None = None  # its place among the judgement's claims
    subject: dict[str, Any] | None = None
    authors: int = 0
    quiet_ms: int = 0


async def raise_alerts(
    connection: AsyncConnection, drafts: Iterable[tuple[AlertDraft, str | None, int | None]], now: int | None = None
) -> dict[int, int | None]:
    """Raises (draft, claim id, mention id) where the dedupe key is new, with its deliveries; {alert id: mention id} of those.

    `now` (ms; None: the present) is when they are raised. This ends a transaction: see `hand_out`.
    """
    outgoing = await write_alerts(connection, drafts, now)
    await hand_out(connection, outgoing)
    return {one.id: one.mention_id for one in outgoing}


async def write_alerts(
    connection: AsyncConnection, drafts: Iterable[tuple[AlertDraft, str | None, int | None]], now: int | None = None
) -> list[Outgoing]:
    """The first half of `raise_alerts`: the alerts whose dedupe key is new, without deliveries, in the order of the drafts."""
    drafts = list(drafts)
    created_ms = now_ms() if now is None else now
    rows: list[dict[str, Any]] = []
    recipients: dict[int, tuple[Recipient, ...]] = {}
    following_others: set[int] = set()
    last = await _last_alerts(connection, {claim_id for _, claim_id, _ in drafts if claim_id is not None})
    for draft, claim_id, mention_id in drafts:
        number = _after(last.get(claim_id))
        if claim_id in last:
            following_others.add(number)
        if claim_id is not None:
            last[claim_id] = number
        recipients[number] = draft.recipients
        rows.append(
            {
                "id": number,
                "kind": draft.kind,
                "dedupe_key": draft.dedupe_key,
                "created_ms": created_ms,
                "claim_id": claim_id,
                "mention_id": mention_id,
                "occurrence_n": draft.occurrence,
                "subject": draft.subject,
                "summary": draft.summary,
            }
        )
    if not rows:
        return []
    in_order = sorted(rows, key=lambda row: str(row["dedupe_key"]))  # the same everywhere, so that two writers cannot deadlock
    raised = set(await insert_new(connection, alert, in_order, conflict=["dedupe_key"]))
    return [
        Outgoing(
            id=row["id"],
            kind=row["kind"],
            created_ms=created_ms,
            mention_id=row["mention_id"],
            recipients=recipients[row["id"]],
            follows=row["id"] in following_others,
        )
        for row in rows
        if row["id"] in raised
    ]


async def _last_alerts(connection: AsyncConnection, claim_ids: Collection[str]) -> dict[str | None, int]:
    """The highest id of an alert by the claim that it is about."""
    if not claim_ids:
        return {}
    highest = select(alert.c.claim_id, func.max(alert.c.id)).where(alert.c.claim_id.in_(sorted(claim_ids)))
    return {row[0]: row[1] for row in await connection.execute(highest.group_by(alert.c.claim_id))}


def _after(last: int | None) -> int:
    """An id for the next alert of a claim: higher than the last one's, also where that was raised by a clock that was ahead."""
    number = new_number()
    return number if last is None or number > last else ((last >> 21) + 1) << 21 | random.getrandbits(21)


async def hand_out(connection: AsyncConnection, outgoing: Sequence[Outgoing]) -> None:
    """The second half: a pending delivery for each recipient, or where its budget is spent a place in its digest.

    Once in a transaction and at its end, because of the budgets' counts (`budgets.hold_back`).
    """
    waiting = await hold_back(connection, outgoing)
    wanted = [(one.id, to.name) for one in outgoing for to in one.recipients]
    followers = [one.id for one in outgoing if one.follows]
    behind = await following.behind(connection, followers, now_ms()) if followers else {}
    rows = [
        _pending(alert_id, name, behind.get((alert_id, name), 0)) for alert_id, name in wanted if (alert_id, name) not in waiting
    ]
    if rows:
        await connection.execute(insert(delivery), rows)


def _pending(alert_id: int, endpoint: str, next_ms: int) -> dict[str, Any]:
    number = new_number()
    return {
        "id": number,
        "alert_id": alert_id,
        "endpoint": endpoint,
        "webhook_id": "msg_" + public_id("d", number)[2:],
        "state": "pending",
        "next_ms": next_ms,
    }


class _Numbers:
    last = 0


def new_number() -> int:
    """A stored id for what does not come from the stream: it grows with time, and in this process with every call.

    Chance alone, without the last one, would soon give two of one batch the same.
    """
    _Numbers.last = max(_Numbers.last + 1, now_ms() << 21 | random.getrandbits(21))
    return _Numbers.last
