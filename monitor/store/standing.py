"""What the record says of claims as posts come in: counts, times, authors; and which alerts that lets through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import msgspec
from sqlalchemy import Integer, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.judged import Judged, Origin
from monitor.store.outbox import AlertDraft
from monitor.store.tables import alert, claim, claim_author, claim_platform
from monitor.store.upsert import insert_new, upsert
from monitor.words import AlertKind, Occurrence, now_ms


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a claim stands once a batch of posts is in the record.

    `authors` are the distinct ones who put it forward. `put_forward_ms`: when a fresh post last did, before the batch. `raised`
    are the dedupe keys of its alerts so far. One that was dismissed, or is muted now, is `silenced`.
    """

    silenced: bool
    authors: int
    put_forward_ms: int | None
    raised: frozenset[str]


NOVELTY: tuple[AlertKind, ...] = ("claim.new", "claim.verdict_changed")  # after either, a claim is not new any more


def due(draft: AlertDraft, standing: Standing, seen_ms: int) -> AlertDraft | None:
    """The draft as it is to be raised for a post that was heard at `seen_ms`, or None where the claim's standing forbids it.

    A claim whose verdict changed is not new any more: that alert has told of it.
    """
    if standing.silenced or standing.authors < draft.authors or _told(draft, standing.raised):
        return None
    if draft.quiet_ms:
        last = standing.put_forward_ms
        if last is None or seen_ms - last < draft.quiet_ms or not standing.raised:
            return None
        draft = msgspec.structs.replace(draft, dedupe_key=f"{draft.dedupe_key}:{last}")
    return draft


def _told(draft: AlertDraft, raised: Collection[str]) -> bool:
    """Whether the claim's alerts so far have said this. After a merge, keys may name the claim that it was."""
    kinds = tuple(f"{kind}:" for kind in (NOVELTY if draft.kind == "claim.new" else (draft.kind,)))
    step = f":{draft.authors}" if draft.authors else ""
    return not draft.quiet_ms and any(key.startswith(kinds) and key.endswith(step) for key in raised)


async def last_put_forward(connection: AsyncConnection, claim_ids: Collection[str]) -> dict[str, int | None]:
    """When claims on record were last put forward by a fresh post (ms)."""
    if not claim_ids:
        return {}
    rows = await connection.execute(select(claim.c.id, claim.c.put_forward_ms).where(claim.c.id.in_(claim_ids)))
    return {row.id: row.put_forward_ms for row in rows}


async def standings(
    connection: AsyncConnection, before: Mapping[str, int | None], claim_ids: Collection[str]
) -> dict[str, Standing]:
    """How claims on record stand; `before` is what `last_put_forward` said before the batch."""
    if not claim_ids:
        return {}
    keys: dict[str, set[str]] = {}
    for row in await connection.execute(select(alert.c.claim_id, alert.c.dedupe_key).where(alert.c.claim_id.in_(claim_ids))):
        keys.setdefault(row.claim_id, set()).add(row.dedupe_key)
    now = now_ms()
    wanted = (claim.c.id, claim.c.state, claim.c.muted_until_ms, claim.c.authors)
    return {
        row.id: Standing(
            silenced=row.state == "dismissed" or (row.muted_until_ms or 0) > now,
            authors=row.authors,
            put_forward_ms=before.get(row.id),
            raised=frozenset(keys.get(row.id, ())),
        )
        for row in await connection.execute(select(*wanted).where(claim.c.id.in_(claim_ids)))
    }


class _Tally(msgspec.Struct):
    example: Occurrence
    origin: Origin
    register: str
    first_ms: int
    last_ms: int
    mentions: int = 0
    put_forward_ms: int | None = None


async def touch_claims(connection: AsyncConnection, written: Iterable[Judged], lost: list[tuple[str, str]]) -> None:
    """Makes the claims that are new, and brings counts and times of all to date.

    `lost`: (claim id, platform) that edits took away. What is said of a claim on record (its verdict, its sentence) stays: only
    `verdicts.change` changes it, and tells of it.
    """
    tallies: dict[str, _Tally] = {}
    platforms: Counter[tuple[str, str]] = Counter()
    authors: set[tuple[str, str, str]] = set()
    for judged in written:
        for claim_id in {one.claim_id for one in judged.judgement.claims}:
            platforms[claim_id, judged.post.platform] += 1
        for one, origin in zip(judged.judgement.claims, judged.origins_of_claims, strict=True):
            fresh = _Tally(one, origin, judged.judgement.register, judged.seen_ms, judged.seen_ms)
            tally = tallies.setdefault(one.claim_id, fresh)
            tally.first_ms = min(tally.first_ms, judged.seen_ms)
            tally.last_ms = max(tally.last_ms, judged.seen_ms)
            if one.put_forward and judged.post.fresh:
                tally.put_forward_ms = max(tally.put_forward_ms or 0, judged.seen_ms)
            if one.put_forward and judged.post.author:
                authors.add((one.claim_id, judged.post.platform, judged.post.author))
    platforms.subtract(lost)
    for (claim_id, _), number in platforms.items():
        if claim_id in tallies:
            tallies[claim_id].mentions += number
    await _upsert_claims(connection, tallies)
    gone = Counter({claim_id: number for (claim_id, _), number in platforms.items() if claim_id not in tallies})
    for claim_id, number in sorted(gone.items()):
        await connection.execute(update(claim).where(claim.c.id == claim_id).values(mentions=claim.c.mentions + number))
    await upsert_platforms(connection, platforms)
    await _count_authors(connection, authors)


async def _upsert_claims(connection: AsyncConnection, tallies: dict[str, _Tally]) -> None:
    if not tallies:
        return
    rows = [
        {
            "id": claim_id,
            "claim": tally.example.claim,
            "type": tally.example.type,
            "proposition": tally.origin.proposition,
            "number": tally.origin.number,
            "entry": tally.origin.entry,
            "verdict": tally.example.verdict,
            "verdicts": tally.example.verdicts,
            "basis": tally.example.basis,
            "ruling": tally.origin.ruling,
            "evidence": msgspec.to_builtins(tally.example.evidence),
            "register": tally.register,
            "first_seen_ms": tally.first_ms,
            "last_seen_ms": tally.last_ms,
            "put_forward_ms": tally.put_forward_ms,
            "mentions": tally.mentions,
        }
        for claim_id, tally in sorted(tallies.items())
    ]
    statement = upsert(connection, claim)
    new = statement.excluded
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "first_seen_ms": case(
                    (new.first_seen_ms < claim.c.first_seen_ms, new.first_seen_ms), else_=claim.c.first_seen_ms
                ),
                "last_seen_ms": case((new.last_seen_ms > claim.c.last_seen_ms, new.last_seen_ms), else_=claim.c.last_seen_ms),
                "put_forward_ms": case(
                    (new.put_forward_ms > func.coalesce(claim.c.put_forward_ms, 0), new.put_forward_ms),
                    else_=claim.c.put_forward_ms,
                ),
                "mentions": claim.c.mentions + new.mentions,
            },
        ),
        rows,
    )


async def upsert_platforms(connection: AsyncConnection, platforms: Mapping[tuple[str, str], int]) -> None:
    """Adds to (or, below zero, takes from) the numbers of mentions by (claim id, platform)."""
    rows = [
        {"claim_id": claim_id, "platform": platform, "mentions": number}
        for (claim_id, platform), number in sorted(platforms.items())
        if number
    ]
    if rows:
        statement = upsert(connection, claim_platform)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["claim_id", "platform"],
                set_={"mentions": claim_platform.c.mentions + statement.excluded.mentions},
            ),
            rows,
        )


async def _count_authors(connection: AsyncConnection, authors: set[tuple[str, str, str]]) -> None:
    rows = [{"claim_id": claim_id, "platform": platform, "author": author} for claim_id, platform, author in sorted(authors)]
    new = Counter(await insert_new(connection, claim_author, rows))
    if new:
        await connection.execute(_ADD_AUTHORS, [{"its_id": claim_id, "more": number} for claim_id, number in sorted(new.items())])


# One statement for all claims of a batch: a call for each of them was a third of what storing a batch took.
_ADD_AUTHORS = (
    update(claim).where(claim.c.id == bindparam("its_id")).values(authors=claim.c.authors + bindparam("more", type_=Integer))
)
