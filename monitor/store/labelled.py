"""What people said of claims, as labelled posts: to score the classifier by with `exowatch evaluate`, and to train it on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import claim_id_of
from monitor.store import mentions
from monitor.store.tables import claim, mention_text, occurrence, review
from monitor.times import parse_time
from monitor.words import ClaimType, Mention, Occurrence, Stance, Verdict

_PAGE = 500
_DECIDING = ("confirm", "dismiss", "merge", "split")


class LabelledClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that a person confirmed. `claim_key` is another for each claim: the lexicon's proposition, with the number where
    it has one, or `own:` and the id of a claim split off. `proposition` is the lexicon's key alone, None for one split off."""

    quote: str
    start: int
    type: ClaimType
    stance: Stance
    distance: bool
    testimonial: bool
    claim_key: str
    proposition: str | None
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
    """A claim that was confirmed or dismissed: when it was, and since then single mentions of it."""

    confirmed: bool
    at_ms: int
    proposition: str | None
    key: str
    mentions: dict[str, int]


async def reviewed_posts(connection: AsyncConnection, numbered: Mapping[str, str]) -> AsyncIterator[LabelledPost]:
    """The posts whose text is there and all of whose claims are confirmed or dismissed, the first heard first.

    `numbered` are the keys that propositions take with a number in them (`count-{number}`), by the lexicon's own.

    A decision reaches as far as what it was made on: a mention that came to a claim, or was edited, after the last decision about
    that claim is left out. So a label is what a person stood by, and not what the classifier made of their word later.
    """
    decided = await _decisions(connection, numbered)
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


async def _decisions(connection: AsyncConnection, numbered: Mapping[str, str]) -> dict[str, _Decided]:
    """The claims that are confirmed or dismissed now, and when a person last decided about them."""
    said = await connection.execute(
        select(claim.c.id, claim.c.state, claim.c.proposition, claim.c.number, review.c.at_ms, review.c.detail, review.c.action)
        .join(review, review.c.claim_id == claim.c.id)
        .where(claim.c.state.in_(("confirmed", "dismissed")), review.c.action.in_(_DECIDING))
        .order_by(review.c.id)
    )
    found: dict[str, _Decided] = {}
    for row in said:
        before = found.get(row.id)
        if row.action != "confirm" or not row.detail:
            key = _key(row, numbered)
            mentions = before.mentions if before else {}
            found[row.id] = _Decided(row.state == "confirmed", row.at_ms, row.proposition or None, key, mentions)
        elif before is not None:
            before.mentions.update(dict.fromkeys(row.detail["mentions"], row.at_ms))
    return found


def _key(row: Any, numbered: Mapping[str, str]) -> str:
    """The name that a claim goes by and no other: that which its id was made of, where the lexicon still makes it so."""
    if not row.proposition:
        return f"own:{row.id}"
    template = numbered.get(row.proposition)
    key: str = template.replace("{number}", row.number) if template and row.number is not None else row.proposition
    return key if claim_id_of(key) == row.id else f"{row.proposition}:{row.id}"


def _is_decided(one: Mention, decided: Mapping[str, _Decided]) -> bool:
    read_ms = parse_time(one.edited_at or one.seen_at)
    return one.text is not None and all(
        found.claim_id in decided and read_ms <= _decided_at(decided[found.claim_id], one.id) for found in one.claims
    )


def _decided_at(one: _Decided, mention_id: str) -> int:
    return max(one.at_ms, one.mentions.get(mention_id, 0))


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
        claims=tuple(_claim(found, decided[found.claim_id]) for found in confirmed),
    )


def _claim(found: Occurrence, decided: _Decided) -> LabelledClaim:
    given = ("claim_key", "proposition")
    taken: dict[str, Any] = {name: getattr(found, name) for name in LabelledClaim.__struct_fields__ if name not in given}
    return LabelledClaim(**taken, claim_key=decided.key, proposition=decided.proposition)
