"""Raises alerts: each once, by its `dedupe_key`, in the transaction of what caused it, with a delivery for each endpoint."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.tables import alert, delivery
from monitor.store.upsert import insert_new
from monitor.words import AlertKind, now_ms, public_id


class AlertDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An alert to be raised unless its `dedupe_key` has been raised before, and the endpoints that want it.

    Where it is about a claim, its key names the claim's id. `authors` and `quiet_ms` are what the record must say of the claim:
    that so many distinct authors put it forward; that nobody did for so long before (milliseconds), when the key is completed by
    the time of the last one.
    """

    kind: AlertKind
    dedupe_key: str
    summary: str
    endpoints: tuple[str, ...] = ()
    occurrence: int | None = None  # its place among the judgement's claims
    subject: dict[str, Any] | None = None
    authors: int = 0
    quiet_ms: int = 0


async def raise_alerts(
    connection: AsyncConnection, drafts: Iterable[tuple[AlertDraft, str | None, int | None]]
) -> dict[int, int | None]:
    """Raises (draft, claim id, mention id) where the dedupe key is new, with its deliveries; {alert id: mention id} of those."""
    rows: list[dict[str, Any]] = []
    endpoints: dict[int, tuple[str, ...]] = {}
    for draft, claim_id, mention_id in drafts:
        number = new_number()
        endpoints[number] = draft.endpoints
        rows.append(
            {
                "id": number,
                "kind": draft.kind,
                "dedupe_key": draft.dedupe_key,
                "created_ms": now_ms(),
                "claim_id": claim_id,
                "mention_id": mention_id,
                "occurrence_n": draft.occurrence,
                "subject": draft.subject,
                "summary": draft.summary,
            }
        )
    if not rows:
        return {}
    rows.sort(key=lambda row: str(row["dedupe_key"]))  # the same order everywhere, so that two writers cannot deadlock
    raised = await insert_new(connection, alert, rows, conflict=["dedupe_key"])
    await add_deliveries(connection, [(number, name) for number in raised for name in endpoints[number]])
    mentions: dict[int, int | None] = {row["id"]: row["mention_id"] for row in rows}
    return {number: mentions[number] for number in raised}


async def add_deliveries(connection: AsyncConnection, wanted: Sequence[tuple[int, str]]) -> list[int]:
    """A pending delivery for each (alert id, endpoint name); their ids."""
    rows = [_pending(alert_id, name) for alert_id, name in wanted]
    if rows:
        await connection.execute(insert(delivery), rows)
    return [int(row["id"]) for row in rows]


def _pending(alert_id: int, endpoint: str) -> dict[str, Any]:
    number = new_number()
    return {
        "id": number,
        "alert_id": alert_id,
        "endpoint": endpoint,
        "webhook_id": "msg_" + public_id("d", number)[2:],
        "state": "pending",
        "next_ms": 0,
    }


class _Numbers:
    last = 0


def new_number() -> int:
    """A stored id for what does not come from the stream: it grows with time, and in this process with every call.

    Chance alone, without the last one, would soon give two of one batch the same.
    """
    _Numbers.last = max(_Numbers.last + 1, now_ms() << 21 | random.getrandbits(21))
    return _Numbers.last
