"""Puts what was found under the claim that a review has put it under: merged claims, and mentions that were split off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.judged import Judged, Origin
from monitor.store.tables import claim, claim_move
from monitor.words import Judgement, Occurrence


async def as_reviewed(connection: AsyncConnection, written: Mapping[int, Judged], known: Sequence[int]) -> dict[int, Judged]:
    """The judged posts by mention id, as reviews want them. `known` are the ids that were on record before."""
    moves: dict[tuple[int, str], str] = {}
    if known:
        for row in await connection.execute(select(claim_move).where(claim_move.c.mention_id.in_(known))):
            moves[row.mention_id, row.found_as] = row.claim_id
    ids = {one.claim_id for judged in written.values() for one in judged.judgement.claims} | set(moves.values())
    # A review that is under way is waited for, and one that comes waits (PostgreSQL): else what is written here would be left
    # under a claim that has been merged meanwhile. Other writers of the same claims are not held up by a lock of this kind.
    heard = select(claim.c.id, claim.c.merged_into).where(claim.c.id.in_(ids)).order_by(claim.c.id)
    rows = await connection.execute(heard.with_for_update(read=True, key_share=True))
    merges = {row.id: row.merged_into for row in rows if row.merged_into is not None}
    if not merges and not moves:
        return dict(written)
    found = await connection.execute(select(claim).where(claim.c.id.in_({*merges.values(), *moves.values()})))
    targets = {row.id: row for row in found}
    return {number: _moved(number, judged, merges, moves, targets) for number, judged in written.items()}


def _moved(
    number: int, judged: Judged, merges: Mapping[str, str], moves: Mapping[tuple[int, str], str], targets: Mapping[str, Any]
) -> Judged:
    claims = judged.judgement.claims
    named = [moves.get((number, one.claim_id)) for one in claims]  # what a person said of this very mention
    homes = [mine or one.claim_id for mine, one in zip(named, claims, strict=True)]
    goals = [merges.get(home, home) for home in homes]
    said = [mine is not None or goal != one.claim_id for mine, goal, one in zip(named, goals, claims, strict=True)]
    if not any(said):
        return judged
    now = tuple(_under(targets[goal], one) if is_said else one for one, goal, is_said in zip(claims, goals, said, strict=True))
    return msgspec.structs.replace(
        judged,
        judgement=judgement_with(judged.judgement, now),
        origins=tuple(
            _origin(targets[goal], sure=one.sure or mine is not None) if is_said else one
            for one, goal, mine, is_said in zip(judged.origins_of_claims, goals, named, said, strict=True)
        ),
        found_as=tuple(one.claim_id for one in claims),
    )


def judgement_with(judgement: Judgement, claims: tuple[Occurrence, ...]) -> Judgement:
    """The judgement with other claims, and `alert` as they have it."""
    return msgspec.structs.replace(judgement, claims=claims, alert=any(one.alerting for one in claims))


def _under(target: Any, one: Occurrence) -> Occurrence:
    return msgspec.structs.replace(
        one,
        claim_id=target.id,
        claim=target.claim,
        type=target.type,
        verdict=target.verdict,
        verdicts=target.verdicts,
        basis=target.basis,
        evidence=target.evidence,
    )


def _origin(target: Any, *, sure: bool) -> Origin:
    return Origin(proposition=target.proposition, number=target.number, entry=target.entry, ruling=target.ruling, sure=sure)
