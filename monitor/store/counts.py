"""Brings claims to date as posts come in: how many mentions, on which platforms, by whom, from when to when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Integer, bindparam, case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.judged import Judged, Origin
from monitor.store.recount import putting_forward
from monitor.store.tables import claim, claim_author, claim_platform, mention, occurrence
from monitor.store.upsert import upsert
from monitor.words import Occurrence

Said = tuple[str, str, str]  # claim id, platform, author


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
