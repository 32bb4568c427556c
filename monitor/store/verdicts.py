"""Holds the claims on record against another state of the register: what a claim is said to be changes here and nowhere else.

A claim changes in one transaction, with its alert; its occurrences follow in others, a page each, because a claim may have very
many and nobody else can write about it meanwhile. What is recorded in between takes what the claim says already (`as_held`), and
`claim.behind` remembers what is still to be done, so that whoever holds the claims next completes what was cut off.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import recount
from monitor.store.judged import Judged
from monitor.store.outbox import AlertDraft, raise_alerts
from monitor.store.reviewed import judgement_with
from monitor.store.tables import claim, mention, occurrence
from monitor.times import now_ms
from monitor.words import Basis, ClaimType, Evidence, Verdict

# What has yet to follow a change of a claim: its occurrences; or these, and its authors and other numbers.
Behind = Literal["occurrences", "numbers"]
FOLLOWING = 1_000  # mentions of a claim that follow it in one transaction: on a slow disk a tenth of a second


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
    """A claim on record: where its identity is from, what it is said to be, and what has yet to follow that."""

    id: str
    proposition: str
    number: str | None
    held: Held
    mentions: int = 0
    behind: Behind | None = None


async def count(connection: AsyncConnection) -> int:
    """How many claims are on record, merged ones included."""
    return int((await connection.execute(select(func.count()).select_from(claim))).scalar_one())


async def after(connection: AsyncConnection, claim_id: str, limit: int) -> list[OnRecord]:
    """The next claims in the order of their ids."""
    rows = await connection.execute(select(claim).where(claim.c.id > claim_id).order_by(claim.c.id).limit(limit))
    return [_on_record(row) for row in rows]


async def load(connection: AsyncConnection, claim_ids: Collection[str]) -> dict[str, OnRecord]:
    """The claims with these ids; those that are not there are left out."""
    if not claim_ids:
        return {}
    rows = await connection.execute(select(claim).where(claim.c.id.in_(claim_ids)))
    return {row.id: _on_record(row) for row in rows}


async def change(
    connection: AsyncConnection, one: OnRecord, now: OnRecord, register: str, draft: AlertDraft | None
) -> dict[int, int | None]:
    """Says of a claim what holds `now`; {alert id: None} of what was raised. Call `follow` then, until it is through.

    Whoever comes second, with the same change in hand, changes and raises nothing. Nothing is raised of a claim that was
    dismissed, is muted or merged, or that no mention carries any more.
    """
    row = (await connection.execute(select(claim).where(claim.c.id == one.id).with_for_update())).one_or_none()
    if row is None or _held(row) != one.held:
        return {}
    values = msgspec.structs.asdict(now.held) | {"register": register}
    values |= {"proposition": now.proposition, "number": now.number}
    if followed(one.held, now.held):
        values["behind"] = row.behind or "occurrences"
    await connection.execute(update(claim).where(claim.c.id == one.id).values(values))
    silenced = row.state == "dismissed" or (row.muted_until_ms or 0) > now_ms() or row.merged_into is not None
    if draft is None or silenced or not row.mentions:
        return {}
    return await raise_alerts(connection, [(draft, one.id, None)])


async def follow(connection: AsyncConnection, claim_id: str, held: Held, after: int = 0) -> int | None:
    """Gives the next mentions of a claim, by their stored ids, what the claim says; the last id, or None when all is done.

    Stops where the claim is said to be something else than `held` by now: whoever changed it does this too.
    """
    carrying = (
        select(occurrence.c.mention_id).distinct().where(occurrence.c.claim_id == claim_id, occurrence.c.mention_id > after)
    )
    numbers = list((await connection.execute(carrying.order_by(occurrence.c.mention_id).limit(FOLLOWING))).scalars())
    await lock_mentions(connection, numbers)
    row = (await connection.execute(select(claim).where(claim.c.id == claim_id).with_for_update())).one_or_none()
    if row is None or _held(row) != held:
        return None
    if numbers:
        theirs = (occurrence.c.claim_id == claim_id) & occurrence.c.mention_id.in_(numbers)
        said = {"type": row.type, "verdict": row.verdict, "verdicts": row.verdicts, "basis": row.basis}
        await connection.execute(update(occurrence).where(theirs).values(said))
        await recount.mentions(connection, numbers)
    if len(numbers) == FOLLOWING:
        return int(numbers[-1])
    if row.behind == "numbers":
        await recount.authors_of(connection, claim_id)
        await recount.numbers_of(connection, claim_id)
    await connection.execute(update(claim).where(claim.c.id == claim_id).values(behind=None))
    return None


async def lock_mentions(connection: AsyncConnection, numbers: Collection[int]) -> None:
    """Nobody else changes these mentions until the end of the transaction. Taken in the order of their ids, and before claims, as
    everywhere: so nobody waits for each other."""
    in_order = sorted(numbers)
    for start in range(0, len(in_order), FOLLOWING):
        some = mention.c.id.in_(in_order[start : start + FOLLOWING])
        # What merely refers to a mention is not held up.
        await connection.execute(select(mention.c.id).where(some).order_by(mention.c.id).with_for_update(key_share=True))


def as_held(written: Mapping[int, Judged], claims: Mapping[str, Any]) -> tuple[dict[int, Judged], list[int]]:
    """The judged posts with what the record says of their claims (rows by id), and the ids of those for which that is another
    thing than whoever judged them said: by a register that this process has not seen yet, or that the claims have not.
    """
    held, otherwise = dict(written), []
    for number, judged in written.items():
        now = tuple(_as_held(one, claims[one.claim_id]) for one in judged.judgement.claims)
        if now != judged.judgement.claims:
            held[number] = msgspec.structs.replace(judged, judgement=judgement_with(judged.judgement, now))
            otherwise.append(number)
    return held, otherwise


def _as_held(one: Any, row: Any) -> Any:
    if (one.type, one.verdict, one.verdicts, one.basis) == (row.type, row.verdict, row.verdicts, row.basis):
        return one
    return msgspec.structs.replace(one, type=row.type, verdict=row.verdict, verdicts=row.verdicts, basis=row.basis)


def followed(before: Held, now: Held) -> bool:
    """Whether occurrences have to follow a change, since what changed stands at them too."""
    return (before.type, before.verdict, before.verdicts, before.basis) != (now.type, now.verdict, now.verdicts, now.basis)


def _on_record(row: Any) -> OnRecord:
    return OnRecord(
        id=row.id, proposition=row.proposition, number=row.number, held=_held(row), mentions=row.mentions, behind=row.behind
    )


def _held(row: Any) -> Held:
    return Held(
        claim=row.claim,
        type=row.type,
        entry=row.entry,
        verdict=row.verdict,
        verdicts=row.verdicts,
        basis=row.basis,
        ruling=row.ruling,
        evidence=row.evidence,
    )
