"""All that the record holds on why a mention did or did not raise an alert: what `monitor.explain` reasons about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id, stored_id
from monitor.store import alerts, claims, deliveries, mentions, recount, reviews
from monitor.store.reviews import Review
from monitor.store.tables import alert, delivery, digest_item, endpoint, mention, occurrence
from monitor.store.told import digests_with
from monitor.times import now_ms, rfc3339
from monitor.words import Alert, Claim, Delivery, Mention


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An alert about a claim. `authors` is the step of a `claim.spreading`; `of` the id of the claim that it told of, where a
    review has put it under another one since."""

    alert: Alert
    authors: int | None
    of: str | None = None


class AboutClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of the mention: its alerts and reviews so far, the oldest first, and when a fresh post before this mention last put
    it forward. `found_as` are the ids of what the reader found in the mention, where a review has put it under this claim.
    `doubtful`: it was joined to the claim as the likeliest, and nobody has confirmed that."""

    claim: Claim
    found_as: frozenset[str]
    doubtful: bool
    told: tuple[Told, ...]
    reviews: tuple[Review, ...]
    before: str | None


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that the mention raised, the place of the occurrence that it speaks of, and its way to the endpoints. `digests`:
    when the digest is due that it waits for, by endpoint; `told_in`: the deliveries of digests that told of it; `again`: when a
    pending one is tried again, by the id of the delivery."""

    alert: Alert
    occurrence: int | None
    deliveries: tuple[Delivery, ...]
    digests: dict[str, str]
    told_in: tuple[Delivery, ...]
    again: dict[str, str]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A mention and what is known of its claims (by id) and alerts at a time (ms). `disabled`: why endpoints are sent nothing, by
    name."""

    at_ms: int
    mention: Mention
    fresh: bool
    claims: dict[str, AboutClaim]
    raised: tuple[Raised, ...]
    disabled: dict[str, str]


async def facts(connection: AsyncConnection, name: str) -> Facts | None:
    """The facts of the mention with this id (exowatch's own, or `platform:id`), or None where it is not on record."""
    found = await mentions.find(connection, name)
    number = None if found is None else stored_id("m", found.id)
    if found is None or number is None:
        return None
    fresh = (await connection.execute(select(mention.c.fresh).where(mention.c.id == number))).scalar_one()
    stopped = await connection.execute(select(endpoint.c.name, endpoint.c.reason).where(endpoint.c.state == "disabled"))
    now = now_ms()
    return Facts(
        at_ms=now,
        mention=found,
        fresh=fresh,
        claims=await _about(connection, number, sorted({one.claim_id for one in found.claims})),
        raised=await _raised(connection, number, now),
        disabled={row.name: row.reason or "" for row in stopped},
    )


async def _about(connection: AsyncConnection, number: int, claim_ids: Sequence[str]) -> dict[str, AboutClaim]:
    told: dict[str, list[Told]] = {}
    rows = await connection.execute(select(alert).where(alert.c.claim_id.in_(claim_ids)).order_by(alert.c.id))
    for row in rows:
        told.setdefault(row.claim_id, []).append(_told(row))
    moved: dict[str, set[str]] = {}
    surely: set[str] = set()
    wanted = (occurrence.c.claim_id, occurrence.c.found_as, occurrence.c.sure)
    for row in await connection.execute(select(*wanted).where(occurrence.c.mention_id == number)):
        if row.found_as is not None:
            moved.setdefault(row.claim_id, set()).add(row.found_as)
        if row.sure:
            surely.add(row.claim_id)
    return {
        one.id: AboutClaim(
            claim=one,
            found_as=frozenset(moved.get(one.id, ())),
            doubtful=one.id not in surely,
            told=tuple(told.get(one.id, ())),
            reviews=tuple(await reviews.history(connection, one.id)),
            before=await _before(connection, number, one.id),
        )
        for one in await claims.load(connection, claim_ids)
    }


def _told(row: Any) -> Told:
    step = row.dedupe_key.rpartition(":")[2] if row.kind == "claim.spreading" else ""
    of = row.dedupe_key.partition(":")[2].partition(":")[0]
    return Told(alert=alerts.alert_of(row), authors=int(step) if step.isdigit() else None, of=None if of == row.claim_id else of)


async def _before(connection: AsyncConnection, number: int, claim_id: str) -> str | None:
    """When a fresh post that was heard before the mention of this number last put the claim forward."""
    rows = await connection.execute(
        select(mention.c.seen_ms)
        .join(occurrence, occurrence.c.mention_id == mention.c.id)
        .where(occurrence.c.claim_id == claim_id, occurrence.c.mention_id < number, recount.put_forward, mention.c.fresh)
        .order_by(occurrence.c.mention_id.desc())
        .limit(1)
    )
    return rfc3339(rows.scalar())


async def _raised(connection: AsyncConnection, number: int, now: int) -> tuple[Raised, ...]:
    rows = list(await connection.execute(select(alert).where(alert.c.mention_id == number).order_by(alert.c.id)))
    numbers = [row.id for row in rows]
    sent: dict[str, list[Delivery]] = {}
    for one in await deliveries.of_alerts(connection, numbers):
        sent.setdefault(one.alert_id, []).append(one)
    digests: dict[int, dict[str, str]] = {}
    for row in await connection.execute(select(digest_item).where(digest_item.c.alert_id.in_(numbers))):
        digests.setdefault(row.alert_id, {})[row.endpoint] = rfc3339(row.due_ms)
    raised = []
    for row in rows:
        told_in = await _told_in(connection, row)
        own = sent.get(public_id("a", row.id), [])
        raised.append(
            Raised(
                alert=alerts.alert_of(row),
                occurrence=row.occurrence_n,
                deliveries=tuple(own),
                digests=digests.get(row.id, {}),
                told_in=tuple(told_in),
                again=await _again(connection, [*own, *told_in], now),
            )
        )
    return tuple(raised)


async def _again(connection: AsyncConnection, sent: Sequence[Delivery], now: int) -> dict[str, str]:
    """When those of these deliveries that failed and are pending are tried again, by their ids."""
    numbers = [stored_id("d", one.id) for one in sent if one.state == "pending" and one.attempts]
    rows = await connection.execute(select(delivery.c.id, delivery.c.next_ms).where(delivery.c.id.in_(numbers)))
    return {public_id("d", row.id): rfc3339(row.next_ms) for row in rows if row.next_ms > now}


async def _told_in(connection: AsyncConnection, raised: Any) -> list[Delivery]:
    """The deliveries of digests that list the alert."""
    listing = [number for number, _ in await digests_with(connection, [raised])]
    return await deliveries.of_alerts(connection, listing) if listing else []
