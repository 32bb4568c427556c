"""What the record says of claims as posts come in: counts, times, authors; and which alerts that lets through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Integer, bindparam, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.judged import Judged, Origin
from monitor.store.outbox import AlertDraft
from monitor.store.recount import putting_forward
from monitor.store.tables import alert, claim, claim_author, claim_platform, mention, occurrence
from monitor.store.upsert import upsert
from monitor.words import AlertKind, Occurrence, now_ms

Said = tuple[str, str, str]  # claim id, platform, author


class Standing(msgspec.Struct, kw_only=True):
    """How a claim stands when a post of a batch asks for alerts about it.

    `authors` are the distinct ones who put it forward, that post's included. `put_forward_ms`: when a fresh post last did, before
    it. `raised` are the dedupe keys of the claim's alerts so far. One that was dismissed, or is muted now, is `silenced`.
    """

    silenced: bool
    authors: int
    put_forward_ms: int | None
    raised: set[str]


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
    # Where a review split off the mention that a claim was told for, the alert went with it, and the claim has still been told.
    gone = {f"claim.new:{claim_id}": claim_id for claim_id in claim_ids}
    theirs = or_(alert.c.claim_id.in_(claim_ids), alert.c.dedupe_key.in_(gone))
    keys: dict[str, set[str]] = {}
    for row in await connection.execute(select(alert.c.claim_id, alert.c.dedupe_key).where(theirs)):
        for claim_id in {row.claim_id, gone.get(row.dedupe_key, row.claim_id)}:
            keys.setdefault(claim_id, set()).add(row.dedupe_key)
    now = now_ms()
    wanted = (claim.c.id, claim.c.state, claim.c.muted_until_ms, claim.c.authors)
    return {
        row.id: Standing(
            silenced=row.state == "dismissed" or (row.muted_until_ms or 0) > now,
            authors=row.authors,
            put_forward_ms=before.get(row.id),
            raised=keys.get(row.id, set()),
        )
        for row in await connection.execute(select(*wanted).where(claim.c.id.in_(claim_ids)))
    }


class Standings:
    """How claims stand, post by post as a batch goes by: so the same posts raise the same alerts in batches of any size."""

    def __init__(self, after: Mapping[str, Standing], new_authors: Collection[tuple[str, str, str]]) -> None:
        """`after` is how they stand after the batch, `new_authors` (claim id, platform, author) whom it brought."""
        self._now = after
        self._yet_to_come = {key for key in new_authors if key[0] in after}
        for claim_id, _, _ in self._yet_to_come:
            after[claim_id].authors -= 1

    def hear(self, judged: Judged) -> None:
        """Counts in the author of the next post; before it asks for alerts."""
        for one in judged.judgement.claims:
            key = (one.claim_id, judged.post.platform, judged.post.author or "")
            if key in self._yet_to_come and one.put_forward:
                self._yet_to_come.remove(key)
                self._now[one.claim_id].authors += 1

    def due(self, draft: AlertDraft, claim_id: str, seen_ms: int) -> AlertDraft | None:
        """The draft as it is to be raised, or None; what is to be raised counts as raised from then on."""
        standing = self._now[claim_id]
        ready = due(draft, standing, seen_ms)
        if ready is not None:
            standing.raised.add(ready.dedupe_key)
        return ready

    def note(self, judged: Judged) -> None:
        """Counts in when the post put its claims forward; after it has asked for alerts."""
        for one in judged.judgement.claims:
            standing = self._now.get(one.claim_id)
            if standing is not None and judged.post.fresh and one.put_forward:
                standing.put_forward_ms = max(standing.put_forward_ms or 0, judged.seen_ms)


class Touched(msgspec.Struct, frozen=True):
    """What the record says of the claims of a batch (rows by id), and whom it brought: (claim id, platform, author)."""

    claims: dict[str, Any]
    new_authors: set[tuple[str, str, str]]


class _Tally(msgspec.Struct):
    example: Occurrence
    origin: Origin
    register: str
    first_ms: int
    last_ms: int
    mentions: int = 0
    put_forward_ms: int | None = None


async def touch_claims(connection: AsyncConnection, written: Iterable[Judged], lost: list[tuple[str, str]]) -> Touched:
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
    gone: Counter[str] = Counter()
    for (claim_id, _), number in platforms.items():
        if claim_id in tallies:
            tallies[claim_id].mentions += number
        else:
            gone[claim_id] += number
    claims: dict[str, Any] = {}
    for is_gone, claim_ids in groupby(sorted({*tallies, *gone}), key=gone.__contains__):
        if is_gone:
            for claim_id in claim_ids:
                fewer = claim.c.mentions + gone[claim_id]
                await connection.execute(update(claim).where(claim.c.id == claim_id).values(mentions=fewer))
        else:
            claims |= await _upsert_claims(connection, {claim_id: tallies[claim_id] for claim_id in claim_ids})
    await upsert_platforms(connection, platforms)
    return Touched(claims, await _count_authors(connection, authors))


async def _upsert_claims(connection: AsyncConnection, tallies: dict[str, _Tally]) -> dict[str, Any]:
    """What the record says of these claims, new ones included; nobody else changes that until the end of the transaction."""
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
            "evidence": tally.example.evidence,
            "register": tally.register,
            "first_seen_ms": tally.first_ms,
            "last_seen_ms": tally.last_ms,
            "put_forward_ms": tally.put_forward_ms,
            "mentions": tally.mentions,
        }
        for claim_id, tally in tallies.items()
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
    # Asked apart: RETURNING makes one statement of all rows, which costs more than all else here.
    said = select(claim.c.id, claim.c.type, claim.c.verdict, claim.c.verdicts, claim.c.basis).where(claim.c.id.in_(tallies))
    return {row.id: row for row in await connection.execute(said)}


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


async def _count_authors(connection: AsyncConnection, authors: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Counts in the authors who are new to a claim; those."""
    if not authors:
        return set()
    rows = [{"claim_id": claim_id, "platform": platform, "author": author} for claim_id, platform, author in sorted(authors)]
    statement = upsert(connection, claim_author).on_conflict_do_nothing().returning(*claim_author.c)
    new = {(row.claim_id, row.platform, row.author) for row in await connection.execute(statement, rows)}
    more = Counter(claim_id for claim_id, _, _ in new)
    if more:
        await connection.execute(_ADD_AUTHORS, [{"its_id": claim_id, "more": n} for claim_id, n in sorted(more.items())])
    return new


async def forget_silent(connection: AsyncConnection, said: Collection[Said]) -> None:
    """Takes from claims the authors who put them forward before and, by what is on record now, do so nowhere any more."""
    for claim_id, platform, author in sorted(said):
        elsewhere = (
            select(occurrence.c.mention_id)
            .join(mention, mention.c.id == occurrence.c.mention_id)
            .where(occurrence.c.claim_id == claim_id, putting_forward(occurrence))
            .where(mention.c.platform == platform, mention.c.author == author)
            .limit(1)
        )
        if (await connection.execute(elsewhere)).first() is not None:
            continue
        whose = (claim_author.c.claim_id == claim_id, claim_author.c.platform == platform, claim_author.c.author == author)
        if (await connection.execute(delete(claim_author).where(*whose))).rowcount:
            await connection.execute(_ADD_AUTHORS, [{"its_id": claim_id, "more": -1}])


# One statement for all claims of a batch: a call for each of them was a third of what storing a batch took.
_ADD_AUTHORS = (
    update(claim).where(claim.c.id == bindparam("its_id")).values(authors=claim.c.authors + bindparam("more", type_=Integer))
)
