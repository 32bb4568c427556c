"""What a dry run looks at beside new claims: claims that spread, claims that are back, and all else that an endpoint may want."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.settings.alerting import speakers
from monitor.store.dry_rules import alerting, qualifies, silence_of_claims
from monitor.store.dry_terms import Terms
from monitor.store.recount import putting_forward
from monitor.store.tables import alert, claim, mention, occurrence
from monitor.words import AlertKind, ClaimType, Verdict

THRESHOLDS: tuple[AlertKind, ...] = ("claim.new", "claim.spreading", "claim.resurfaced")  # what settings of [alerts] decide about
_HOUSEKEEPING: tuple[AlertKind, ...] = ("endpoint.disabled", "digest", "test")
Key = tuple[AlertKind, str, int]  # the claim's id and what tells its alerts of a kind apart; or the alert's id


class First(msgspec.Struct, frozen=True):
    """The occurrence that is, or would be, the first of its claim to raise it."""

    claim_id: str
    mention: int
    platform: str
    type: ClaimType
    verdict: Verdict
    confidence: float
    alerting: bool = True


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that there is or would be: what filters ask about it, and when it was due (ms)."""

    kind: AlertKind
    mention: int | None
    at_ms: int
    platform: str | None
    about: First | _Claim | None
    alert: int | None = None
    says: str = ""

    @classmethod
    def of(cls, kind: AlertKind, one: First, alert: int | None = None) -> Case:
        return cls(kind=kind, mention=one.mention, at_ms=one.mention >> 21, platform=one.platform, about=one, alert=alert)

    @property
    def order(self) -> int:
        return self.at_ms << 21 if self.mention is None else self.mention


class _Claim(msgspec.Struct, frozen=True):
    """A claim as filters ask about it; that it is this claim is sure."""

    type: ClaimType
    verdict: Verdict
    confidence: float = 1.0


async def would_be(connection: AsyncConnection, terms: Terms) -> dict[Key, Case]:
    """Claims that would have passed a number of authors, or come back after a quiet time, in the window."""
    passed = await _spoken(connection, await _spreading(connection, terms))
    back = await _spoken(connection, await _resurfaced(connection, terms))
    found: dict[Key, Case] = {("claim.spreading", one.claim_id, step): Case.of("claim.spreading", one) for (step, one) in passed}
    for step, one in back:
        found["claim.resurfaced", one.claim_id, step] = Case.of("claim.resurfaced", one)
    return found


async def _spreading(connection: AsyncConnection, terms: Terms) -> list[tuple[str, int, int]]:
    """(claim id, mention, step): the first post that could tell of it once so many authors had put the claim forward."""
    if not terms.spreading:
        return []
    number, low, high = occurrence.c.mention_id, *terms.numbers
    many = select(claim.c.id).where(claim.c.authors >= min(terms.spreading))
    firsts = (
        select(occurrence.c.claim_id, func.min(number).label("first"))
        .join(mention, mention.c.id == number)
        .where(putting_forward(occurrence), mention.c.author.is_not(None), occurrence.c.claim_id.in_(many))
        .group_by(occurrence.c.claim_id, mention.c.platform, mention.c.author)
        .subquery()
    )
    rank = func.row_number().over(partition_by=firsts.c.claim_id, order_by=firsts.c.first)
    ranked = select(firsts.c.claim_id, firsts.c.first, rank.label("authors")).subquery()
    silence = silence_of_claims()
    telling = (
        select(number)
        .join(mention, mention.c.id == number)
        .where(occurrence.c.claim_id == ranked.c.claim_id, number >= ranked.c.first)
        .where(qualifies(occurrence, mention, silence, terms.min_confidence))
        .order_by(number)
        .limit(1)
        .correlate(ranked)
        .scalar_subquery()
    )
    reached = select(ranked.c.claim_id, telling.label("number"), ranked.c.authors).where(ranked.c.authors.in_(terms.spreading))
    rows = await connection.execute(reached)
    return [(row[0], row[1], row[2]) for row in rows if row[1] is not None and low <= row[1] < high]


async def _resurfaced(connection: AsyncConnection, terms: Terms) -> list[tuple[str, int, int]]:
    """(claim id, mention, mention): posts before which no fresh one had put the claim forward for so long, and one had before."""
    number, low, high = occurrence.c.mention_id, *terms.numbers
    quiet = min(terms.resurfaced_after_ms, 2**41) << 21  # what no time of a mention goes beyond
    silence = silence_of_claims()
    near, its = occurrence.alias("near"), mention.alias("its")
    spoken = (
        select(1)
        .join_from(near, its, its.c.id == near.c.mention_id)
        .where(near.c.claim_id == occurrence.c.claim_id, near.c.mention_id < number, near.c.mention_id > number - quiet)
        .where(putting_forward(near), its.c.fresh)
    )
    older, post = occurrence.alias("older"), mention.alias("post")
    told = (
        select(1)
        .join_from(older, post, post.c.id == older.c.mention_id)
        .where(older.c.claim_id == occurrence.c.claim_id, older.c.mention_id <= number - quiet)
        .where(qualifies(older, post, silence, terms.min_confidence))
    )
    rows = await connection.execute(
        select(occurrence.c.claim_id, number)
        .distinct()
        .join(mention, mention.c.id == number)
        .where(number >= low, number < high, qualifies(occurrence, mention, silence, terms.min_confidence))
        .where(~spoken.exists(), told.exists())
    )
    return [(row[0], row[1], row[1]) for row in rows]


FIRST = (  # the columns of a `First`
    occurrence.c.claim_id,
    occurrence.c.mention_id,
    mention.c.platform,
    occurrence.c.type,
    occurrence.c.verdict,
    occurrence.c.confidence,
)


async def _spoken(connection: AsyncConnection, due: list[tuple[str, int, int]]) -> list[tuple[int, First]]:
    """The occurrence that speaks for each claim in its mention, and the step."""
    found: list[tuple[int, First]] = []
    for claim_id, number, step in due:
        rows = await connection.execute(
            select(*FIRST)
            .join(mention, mention.c.id == occurrence.c.mention_id)
            .where(occurrence.c.mention_id == number, occurrence.c.claim_id == claim_id, alerting(occurrence))
            .order_by(occurrence.c.n)
        )
        places = [First(*row) for row in rows]
        found += [(step, places[n]) for n in speakers(places).values()]
    return found


async def raised(connection: AsyncConnection, terms: Terms, families: Mapping[str, str]) -> dict[Key, Case]:
    """The alerts of these kinds that mentions heard in the window raised."""
    low, high = terms.numbers
    rows = await connection.execute(
        select(
            alert.c.id,
            alert.c.kind,
            alert.c.claim_id,
            alert.c.mention_id,
            alert.c.dedupe_key,
            mention.c.platform,
            occurrence.c.type,
            occurrence.c.verdict,
            occurrence.c.confidence,
        )
        .join(mention, mention.c.id == alert.c.mention_id)
        .join(
            occurrence,
            and_(
                occurrence.c.mention_id == alert.c.mention_id,
                occurrence.c.n == alert.c.occurrence_n,
                occurrence.c.claim_id == alert.c.claim_id,
            ),
            isouter=True,
        )
        .where(alert.c.kind.in_(THRESHOLDS), alert.c.mention_id >= low, alert.c.mention_id < high)
        .order_by(alert.c.id)
    )
    found: dict[Key, Case] = {}
    for row in rows:
        # None where an edit has taken it out of the post.
        about = None if row.confidence is None else First(row.claim_id, row.mention_id, row.platform, *row[6:])
        claim_id = families.get(row.claim_id, row.claim_id) if row.kind == "claim.new" else row.claim_id
        case = Case(
            kind=row.kind, mention=row.mention_id, at_ms=row.mention_id >> 21, platform=row.platform, about=about, alert=row.id
        )
        found.setdefault((row.kind, claim_id, _step(row)), case)
    return found


def _step(row: Any) -> int:
    if row.kind == "claim.spreading":
        return int(row.dedupe_key.rpartition(":")[2])
    return int(row.mention_id) if row.kind == "claim.resurfaced" else 0


async def others(connection: AsyncConnection, terms: Terms) -> dict[Key, Case]:
    """The alerts of the window that no threshold decides about, but filters of endpoints do."""
    low, high = terms.numbers
    heard = and_(alert.c.mention_id >= low, alert.c.mention_id < high)
    by_itself = and_(alert.c.mention_id.is_(None), alert.c.created_ms >= terms.since, alert.c.created_ms < terms.until)
    rows = await connection.execute(
        select(alert, mention.c.platform, claim.c.type, claim.c.verdict)
        .join(mention, mention.c.id == alert.c.mention_id, isouter=True)
        .join(claim, claim.c.id == alert.c.claim_id, isouter=True)
        .where(alert.c.kind.not_in((*THRESHOLDS, *_HOUSEKEEPING)), or_(heard, by_itself))
    )
    found: dict[Key, Case] = {}
    for row in rows:
        about = None if row.type is None else _Claim(row.type, row.verdict)
        at_ms = row.created_ms if row.mention_id is None else row.mention_id >> 21
        key: Key = (row.kind, row.claim_id or public_id("a", row.id), row.id)
        found[key] = Case(
            kind=row.kind,
            mention=row.mention_id,
            at_ms=at_ms,
            platform=row.platform,
            about=about,
            alert=row.id,
            says=row.summary,
        )
    return found
