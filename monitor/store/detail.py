"""One claim with all that belongs to it: where it was said, how it went over time, what was alerted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import stored_id
from monitor.store import alerts, claims, mentions, reviews
from monitor.store.filters import Filters
from monitor.store.lineage import Day, Lineage, trace, watched
from monitor.store.mentions import Joined
from monitor.store.merged import of_present
from monitor.store.reviews import Review
from monitor.store.tables import claim, occurrence
from monitor.words import Alert, Claim, Mention, MentionState, Occurrence, Page


class Place(Occurrence, frozen=True, kw_only=True):
    """An occurrence together with the mention that it stands in, and how it came to the claim; `why` says the rest."""

    mention_id: str
    platform: str
    platform_id: str
    source: str
    url: str | None
    author: str | None
    created_at: str | None
    seen_at: str
    state: MentionState
    joined: Joined


class ClaimDetail(Claim, frozen=True, kw_only=True):
    """A claim, its days in order of time (the last MAX_DAYS on which it was heard), its occurrences and alerts, newest first, and
    what people said of it, the oldest first. `watch` says in how many of its mentions a name of the watchlist stands.

    `proposition` and `number` are what occurrences have to share to be of this claim: a key of the lexicon (none where a review
    split the claim off) and, where the proposition has one, the number that the posts name. `doubtful` are the occurrences that
    were joined as the likeliest, and that nobody has confirmed yet.
    """

    proposition: str | None
    number: str | None
    doubtful: int
    timeline: list[Day]
    lineage: Lineage
    watch: dict[str, int]
    occurrences: Page[Place]
    alerts: Page[Alert]
    reviews: list[Review]


async def find(connection: AsyncConnection, claim_id: str, filters: Filters) -> ClaimDetail | None:
    """The claim with this id, or None; the filters choose among its occurrences. Raises FilterError for a wrong cursor."""
    found = await claims.find(connection, claim_id)
    if found is None:
        return None
    claim_id = found.id
    of_claim = msgspec.structs.replace(filters, claim=(claim_id,))
    page = await mentions.page(connection, of_claim)
    identity = (await connection.execute(select(claim.c.proposition, claim.c.number).where(claim.c.id == claim_id))).one()
    unsure = select(func.count()).where(occurrence.c.claim_id == claim_id, ~occurrence.c.sure)
    lineage, timeline = await trace(connection, claim_id)
    return ClaimDetail(
        **msgspec.structs.asdict(found),
        proposition=identity.proposition or None,
        number=identity.number,
        doubtful=(await connection.execute(unsure)).scalar_one(),
        timeline=timeline,
        lineage=lineage,
        watch=await watched(connection, claim_id),
        occurrences=Page(items=await _all_places(connection, page.items, claim_id), next=page.next),
        alerts=await alerts.page(connection, Filters(claim=(claim_id,))),
        reviews=await reviews.history(connection, claim_id),
    )


async def places_in(connection: AsyncConnection, claim_id: str, names: Sequence[str]) -> list[Place]:
    """The occurrences of a claim in the mentions of these names (exowatch's own ids or `platform:id`), in that order."""
    claim_id = await reviews.present_id(connection, claim_id)
    found = [await mentions.find(connection, name) for name in dict.fromkeys(names)]
    return await _all_places(connection, [one for one in found if one is not None], claim_id)


async def places_of(connection: AsyncConnection, numbers: Sequence[int], claim_id: str) -> list[Place]:
    """The occurrences of a claim in the mentions with these stored ids, in that order."""
    return await _all_places(connection, await mentions.load(connection, numbers), claim_id)


async def occurrences_of(connection: AsyncConnection, found: Sequence[Mention], filters: Filters) -> list[Place]:
    """The occurrences in these mentions that are as the filters ask, in order."""
    numbers = [number for one in found if (number := stored_id("m", one.id)) is not None]
    ways = await mentions.joined(connection, numbers)
    filters = await of_present(connection, filters)
    wanted = (filters.type, filters.verdict, filters.stance, filters.claim)
    return [
        place
        for one in found
        for place in _places(one, None, ways)
        if all(
            not values or said in values
            for said, values in zip((place.type, place.verdict, place.stance, place.claim_id), wanted, strict=True)
        )
    ]


async def first_said(connection: AsyncConnection, claim_ids: Sequence[str]) -> dict[str, Place]:
    """For each of these claims the first occurrence that puts it forward and is still there; claims without one are left out."""
    put_forward = or_(occurrence.c.stance == "asserts", and_(occurrence.c.stance == "reports", occurrence.c.distance.is_(False)))
    first = (
        select(occurrence.c.mention_id)
        .where(occurrence.c.claim_id == claim.c.id, put_forward)
        .order_by(occurrence.c.mention_id)
        .limit(1)
        .scalar_subquery()
    )
    rows = await connection.execute(select(claim.c.id, first).where(claim.c.id.in_(claim_ids)))
    numbers = {claim_id: number for claim_id, number in rows if number is not None}
    distinct = sorted(set(numbers.values()))
    loaded = dict(zip(distinct, await mentions.load(connection, distinct), strict=True))
    ways = await mentions.joined(connection, distinct)
    return {
        claim_id: next(place for place in _places(loaded[number], claim_id, ways) if place.put_forward)
        for claim_id, number in numbers.items()
    }


async def _all_places(connection: AsyncConnection, found: Sequence[Mention], claim_id: str) -> list[Place]:
    numbers = [number for one in found if (number := stored_id("m", one.id)) is not None]
    ways = await mentions.joined(connection, numbers)
    return [place for one in found for place in _places(one, claim_id, ways)]


def _places(one: Mention, claim_id: str | None, ways: Mapping[tuple[str, int], Joined]) -> list[Place]:
    """The occurrences of one claim (None: of any) in a mention."""
    of_mention: dict[str, Any] = {
        "mention_id": one.id,
        "platform": one.platform,
        "platform_id": one.platform_id,
        "source": one.source,
        "url": one.url,
        "author": one.author,
        "created_at": one.created_at,
        "seen_at": one.seen_at,
        "state": one.state,
    }
    return [
        Place(**msgspec.structs.asdict(found), **of_mention, joined=ways.get((one.id, n), "sure"))
        for n, found in enumerate(one.claims)
        if claim_id is None or found.claim_id == claim_id
    ]
