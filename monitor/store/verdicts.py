"""Holds the claims on record against another state of the register: what a claim is said to be changes here and nowhere else."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import recount
from monitor.store.outbox import AlertDraft, raise_alerts
from monitor.store.tables import claim, occurrence
from monitor.words import Basis, ClaimType, Evidence, Verdict, now_ms


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a claim on record is said to be: its sentence, and the verdict that it was given with its grounds."""

    claim: str
    type: ClaimType
    entry: str | None
    verdict: Verdict
    verdicts: dict[str, Verdict]
    basis: Basis
    ruling: str
    evidence: tuple[Evidence, ...]


class OnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A claim on record: where its identity is from, and what it is said to be."""

    id: str
    proposition: str
    number: str | None
    held: Held


async def count(connection: AsyncConnection) -> int:
    """How many claims are on record, merged ones included."""
    return int((await connection.execute(select(func.count()).select_from(claim))).scalar_one())


async def after(connection: AsyncConnection, claim_id: str, limit: int) -> list[OnRecord]:
    """The next claims in the order of their ids."""
    rows = await connection.execute(select(claim).where(claim.c.id > claim_id).order_by(claim.c.id).limit(limit))
    return [OnRecord(id=row.id, proposition=row.proposition, number=row.number, held=_held(row)) for row in rows]


async def change(
    connection: AsyncConnection, one: OnRecord, now: Held, register: str, draft: AlertDraft | None
) -> dict[int, int | None]:
    """Says of a claim and its occurrences what holds `now`; {alert id: None} of what was raised.

    Whoever comes second, with the same change in hand, changes and raises nothing.
    """
    row = (await connection.execute(select(claim).where(claim.c.id == one.id).with_for_update())).one_or_none()
    if row is None or _held(row) != one.held:
        return {}
    values = msgspec.structs.asdict(now) | {"evidence": msgspec.to_builtins(now.evidence), "register": register}
    await connection.execute(update(claim).where(claim.c.id == one.id).values(values))
    if (now.type, now.verdict, now.verdicts, now.basis) != (one.held.type, one.held.verdict, one.held.verdicts, one.held.basis):
        theirs = {"type": now.type, "verdict": now.verdict, "verdicts": now.verdicts, "basis": now.basis}
        await connection.execute(update(occurrence).where(occurrence.c.claim_id == one.id).values(theirs))
        await recount.mentions_of(connection, one.id)
    silenced = row.state == "dismissed" or (row.muted_until_ms or 0) > now_ms() or row.merged_into is not None
    if draft is None or silenced:
        return {}
    return await raise_alerts(connection, [(draft, one.id, None)])


def _held(row: Any) -> Held:
    return Held(
        claim=row.claim,
        type=row.type,
        entry=row.entry,
        verdict=row.verdict,
        verdicts=row.verdicts,
        basis=row.basis,
        ruling=row.ruling,
        evidence=msgspec.convert(row.evidence, tuple[Evidence, ...]),
    )
