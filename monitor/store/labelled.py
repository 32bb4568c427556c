"""What people said of claims, as labelled posts: to score the classifier by with `exowatch evaluate`, and to train it on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import mentions
from monitor.store.tables import claim, mention_text, occurrence, review
from monitor.words import ClaimType, Mention, Occurrence, Stance, Verdict, parse_time

_PAGE = 500
_DECIDING = ("confirm", "dismiss", "merge", "split")


class LabelledClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that a person confirmed. `claim_key` is the lexicon's proposition, or `own:` and the id of a claim split off."""

    quote: str
    start: int
    type: ClaimType
    stance: Stance
    distance: bool
    testimonial: bool
    claim_key: str
    claim: str
    verdict: Verdict


class LabelledPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post all of whose claims a person decided on. `traits` says where something of it was dismissed or put elsewhere."""

    id: str
    platform: str
    lang: str | None
    text: str
    relevant: bool
    adverse_event: bool
    alert: bool
    traits: tuple[str, ...]
    claims: tuple[LabelledClaim, ...]


class _Decided(msgspec.Struct, frozen=True):
    confirmed: bool
    at_ms: int
    proposition: str


async def reviewed_posts(connection: AsyncConnection) -> AsyncIterator[LabelledPost]:
    """The posts whose text is there and all of whose claims are confirmed or dismissed, the first heard first.

    A decision reaches as far as what it was made on: a mention that came to a claim, or was edited, after the last decision about
    that claim is left out. So a label is what a person stood by, and not what the classifier made of their word later.
    """
    decided = await _decisions(connection)
    last = -1
    while True:
        heard = (
            select(occurrence.c.mention_id)
            .distinct()
            .join(claim, claim.c.id == occurrence.c.claim_id)
            .join(mention_text, mention_text.c.mention_id == occurrence.c.mention_id)
            .where(claim.c.state != "open", occurrence.c.mention_id > last)
            .order_by(occurrence.c.mention_id)
            .limit(_PAGE)
        )
        numbers = list((await connection.execute(heard)).scalars())
        if not numbers:
            return
        ways = await mentions.joined(connection, numbers)
        for one in await mentions.load(connection, numbers):
            if _is_decided(one, decided):
                moved = any(ways[one.id, n] == "by review" for n in range(len(one.claims)))
                yield _labelled(one, decided, moved=moved)
        last = numbers[-1]


async def _decisions(connection: AsyncConnection) -> dict[str, _Decided]:
    """The claims that are confirmed or dismissed now, and when a person last decided about them."""
    last = select(review.c.claim_id, func.max(review.c.at_ms).label("at_ms")).where(review.c.action.in_(_DECIDING))
    decision = last.group_by(review.c.claim_id).subquery()
    rows = await connection.execute(
        select(claim.c.id, claim.c.state, claim.c.proposition, decision.c.at_ms)
        .join(decision, decision.c.claim_id == claim.c.id)
        .where(claim.c.state.in_(("confirmed", "dismissed")))
    )
    return {row.id: _Decided(row.state == "confirmed", row.at_ms, row.proposition) for row in rows}


def _is_decided(one: Mention, decided: Mapping[str, _Decided]) -> bool:
    read_ms = parse_time(one.edited_at or one.seen_at)
    return one.text is not None and all(
        found.claim_id in decided and read_ms <= decided[found.claim_id].at_ms for found in one.claims
    )


def _labelled(one: Mention, decided: Mapping[str, _Decided], *, moved: bool) -> LabelledPost:
    confirmed = [found for found in one.claims if decided[found.claim_id].confirmed]
    traits = {"dismissed": len(confirmed) < len(one.claims), "moved": moved}
    return LabelledPost(
        id=one.id,
        platform=one.platform,
        lang=one.language,
        text=one.text or "",
        relevant=one.relevant,
        adverse_event=one.adverse_event,
        alert=any(found.alerting for found in confirmed),
        traits=tuple(name for name, holds in traits.items() if holds),
        claims=tuple(_claim(found, decided[found.claim_id].proposition) for found in confirmed),
    )


def _claim(found: Occurrence, proposition: str) -> LabelledClaim:
    taken: dict[str, Any] = {name: getattr(found, name) for name in LabelledClaim.__struct_fields__ if name != "claim_key"}
    return LabelledClaim(**taken, claim_key=proposition or f"own:{found.claim_id}")
