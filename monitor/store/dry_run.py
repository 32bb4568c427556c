"""What another threshold, or other filters of an endpoint, would have alerted: worked out from the record, writing nothing.

A claim would have been `claim.new` at its first occurrence in all history that is put forward, not supported, of a fresh post,
sure enough and not silenced by a review. Verdicts are the present ones. The database groups the occurrences; what is left for
this side is one row a claim.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import CTE, BigInteger, ColumnElement, Select, and_, case, func, literal, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.settings.alerting import speakers, wants
from monitor.settings.endpoint import Endpoint
from monitor.store.dry_terms import Terms, TriedEndpoint
from monitor.store.recount import putting_forward
from monitor.store.reviews import FOR_GOOD
from monitor.store.standing import NOVELTY
from monitor.store.tables import alert, claim, mention, mention_watch, occurrence, review
from monitor.words import ClaimType, Verdict, public_id, rfc3339

ChangeKind = Literal["gained", "lost", "kept"]
_CHANGES: tuple[ChangeKind, ...] = ("gained", "lost", "kept")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A claim whose `claim.new` is gained, lost or kept. `mention_id`, `platform`, `seen_at` and `confidence` are of the
    occurrence that would be the first to raise it (None: none would); `alert_id` is the `claim.new` that there is."""

    change: ChangeKind
    claim_id: str
    claim: str
    mention_id: str | None
    platform: str | None
    seen_at: str | None
    confidence: float | None
    alert_id: str | None


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """How many `claim.new` were `raised` in the window (by the endpoint's present filters, where one is tried) and how many
    `would_be`, and the difference. `items`: the gained, the lost and the kept ones, each the newest first, as far as `limit`."""

    since: str
    until: str
    min_confidence: float
    endpoint: TriedEndpoint | None
    raised: int
    would_be: int
    gained: int
    lost: int
    kept: int
    items: list[Change]


class _First(msgspec.Struct, frozen=True):
    """The occurrence that is, or would be, the first of its claim to raise it."""

    claim_id: str
    mention: int
    platform: str
    type: ClaimType
    verdict: Verdict
    confidence: float
    alerting: bool = True


async def dry_run(connection: AsyncConnection, terms: Terms) -> DryRun:
    """The difference that the terms would have made to the mentions heard in their window."""
    watched = await _watched(connection, terms)
    would = {one.claim_id: one for one in await _firsts(connection, terms) if _wanted(terms.tried, one, watched)}
    raised = await _raised(connection, terms, watched)
    changes: dict[ChangeKind, list[tuple[int, str]]] = {
        "gained": [(one.mention, claim_id) for claim_id, one in would.items() if claim_id not in raised],
        "lost": [(number, claim_id) for claim_id, number in raised.items() if claim_id not in would],
        "kept": [(one.mention, claim_id) for claim_id, one in would.items() if claim_id in raised],
    }
    shown = [(kind, claim_id) for kind in _CHANGES for _, claim_id in sorted(changes[kind], reverse=True)][: terms.limit]
    return DryRun(
        since=rfc3339(terms.since),
        until=rfc3339(terms.until),
        min_confidence=terms.min_confidence,
        endpoint=TriedEndpoint.of(terms.tried) if terms.tried else None,
        raised=len(raised),
        would_be=len(would),
        gained=len(changes["gained"]),
        lost=len(changes["lost"]),
        kept=len(changes["kept"]),
        items=await _items(connection, terms, shown, would),
    )


def _wanted(endpoint: Endpoint | None, one: _First, watched: Mapping[int, Collection[str]]) -> bool:
    return endpoint is None or wants(endpoint, "claim.new", one, one.platform, watched.get(one.mention, ()))


async def _watched(connection: AsyncConnection, terms: Terms) -> dict[int, list[str]]:
    """The names that the endpoint asks for, by the mentions of the window that speak of them."""
    found: dict[int, list[str]] = {}
    if terms.tried is not None and terms.tried.watch:
        low, high = terms.numbers
        number = mention_watch.c.mention_id
        asked = select(number, mention_watch.c.name).where(
            mention_watch.c.name.in_(terms.tried.watch), number >= low, number < high
        )
        for row in await connection.execute(asked):
            found.setdefault(row.mention_id, []).append(row.name)
    return found


async def _firsts(connection: AsyncConnection, terms: Terms) -> list[_First]:
    """For each claim that would have been new in the window, the occurrence that speaks for it."""
    silence = _silence()
    low, high = terms.numbers
    number = occurrence.c.mention_id
    heard = (
        select(occurrence.c.claim_id, func.min(number).label("number"))
        .join(mention, mention.c.id == number)
        .where(number >= low, number < high, _qualifies(occurrence, mention, silence, terms.min_confidence))
        .group_by(occurrence.c.claim_id)
        .cte("heard")
        .prefix_with("MATERIALIZED")
    )
    # Whether there is one before is asked of each claim by itself: the oldest of a claim are looked at first, and one is enough.
    older, post = occurrence.alias("older"), mention.alias("post")
    before = (
        select(1)
        .join_from(older, post, post.c.id == older.c.mention_id)
        .where(
            older.c.claim_id == heard.c.claim_id,
            older.c.mention_id < low,
            _qualifies(older, post, silence, terms.min_confidence),
        )
    )
    # A changed verdict was told instead: to what is heard later the claim is not new, and what was heard while the claim was
    # supported raised nothing.
    was_supported = alert.c.subject["before"]["verdict"].as_string() == "supported"
    told = select(1).where(
        alert.c.claim_id == heard.c.claim_id,
        alert.c.kind.in_([kind for kind in NOVELTY if kind != "claim.new"]),
        or_(alert.c.created_ms <= _heard_ms(heard.c.number), was_supported),
    )
    return await _spoken(connection, heard, ~before.exists() & ~told.exists())


async def _spoken(connection: AsyncConnection, heard: CTE, wanted: ColumnElement[bool]) -> list[_First]:
    rows = await connection.execute(
        select(
            occurrence.c.claim_id,
            occurrence.c.mention_id,
            mention.c.platform,
            occurrence.c.type,
            occurrence.c.verdict,
            occurrence.c.confidence,
        )
        .join_from(heard, occurrence, and_(occurrence.c.mention_id == heard.c.number, occurrence.c.claim_id == heard.c.claim_id))
        .join(mention, mention.c.id == occurrence.c.mention_id)
        .where(_alerting(occurrence), wanted)
        .order_by(occurrence.c.claim_id, occurrence.c.n)
    )
    found = [_First(*row) for row in rows]
    return [found[n] for n in speakers(found).values()]


async def _raised(connection: AsyncConnection, terms: Terms, watched: Mapping[int, Collection[str]]) -> dict[str, int]:
    """The claims that were raised as new by a mention heard in the window, {claim id: mention}; of an endpoint's trial those that
    its filters as configured let through."""
    low, high = terms.numbers
    rows = await connection.execute(
        select(
            alert.c.claim_id,
            alert.c.mention_id,
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
        .where(alert.c.kind == "claim.new", alert.c.mention_id >= low, alert.c.mention_id < high)
    )
    found: dict[str, int] = {}
    for row in rows:
        about = None if row.confidence is None else _First(*row)  # an edit has taken it out of the post
        names = watched.get(row.mention_id, ())
        if terms.configured is None or wants(terms.configured, "claim.new", about, row.platform, names):
            found[row.claim_id] = min(row.mention_id, found.get(row.claim_id, row.mention_id))
    return found


async def _items(
    connection: AsyncConnection, terms: Terms, shown: Sequence[tuple[ChangeKind, str]], would: dict[str, _First]
) -> list[Change]:
    ids = [claim_id for _, claim_id in shown]
    sentences = {
        row.id: row.claim for row in await connection.execute(select(claim.c.id, claim.c.claim).where(claim.c.id.in_(ids)))
    }
    told: dict[str, int] = {}
    of_claims = select(alert.c.claim_id, alert.c.id).where(alert.c.claim_id.in_(ids), alert.c.kind == "claim.new")
    for row in await connection.execute(of_claims.order_by(alert.c.id)):
        told.setdefault(row.claim_id, row.id)
    firsts = would | await _ever(connection, terms, [claim_id for kind, claim_id in shown if kind == "lost"])
    items = []
    for kind, claim_id in shown:
        one = firsts.get(claim_id)
        items.append(
            Change(
                change=kind,
                claim_id=claim_id,
                claim=sentences[claim_id],
                mention_id=None if one is None else public_id("m", one.mention),
                platform=None if one is None else one.platform,
                seen_at=None if one is None else rfc3339(one.mention >> 21),
                confidence=None if one is None else one.confidence,
                alert_id=public_id("a", told[claim_id]) if claim_id in told else None,
            )
        )
    return items


async def _ever(connection: AsyncConnection, terms: Terms, claim_ids: Sequence[str]) -> dict[str, _First]:
    """The first occurrence of each claim, whenever it was heard, that would be sure enough; claims without one are left out."""
    first = (
        select(occurrence.c.mention_id)
        .join(mention, mention.c.id == occurrence.c.mention_id)
        .where(occurrence.c.claim_id == claim.c.id, _qualifies(occurrence, mention, _silence(), terms.min_confidence))
        .order_by(occurrence.c.mention_id)
        .limit(1)
        .correlate(claim)
        .scalar_subquery()
    )
    heard = select(claim.c.id.label("claim_id"), first.label("number")).where(claim.c.id.in_(claim_ids)).cte("heard")
    return {one.claim_id: one for one in await _spoken(connection, heard, heard.c.number.is_not(None))}


def _alerting(one: Any) -> ColumnElement[bool]:
    """`Occurrence.alerting` of a row of the table `occurrence`."""
    return and_(one.c.verdict != "supported", putting_forward(one))


def _qualifies(one: Any, post: Any, silence: CTE, min_confidence: float) -> ColumnElement[bool]:
    """Whether an occurrence would raise its claim, were it the first: `is_sure` and what stands before it, in SQL."""
    at_ms = _heard_ms(one.c.mention_id)
    of_claim = silence.c.claim_id == one.c.claim_id
    silent = select(1).where(of_claim, silence.c.from_ms <= at_ms, at_ms < silence.c.to_ms).correlate(one)
    return and_(_alerting(one), one.c.confidence >= min_confidence, post.c.fresh, ~silent.exists())


def _heard_ms(number: Any) -> Any:
    # Ids hold the time of arrival in their upper bits.
    return number.op("/", return_type=BigInteger)(literal_column(str(1 << 21)))


def _silence() -> CTE:
    """When claims were silent (claim id, from and until, the latter exclusive): dismissed, or muted."""
    mutes = review.c.action.in_(["mute", "unmute"])
    following = func.lead(review.c.at_ms).over(partition_by=(review.c.claim_id, mutes), order_by=review.c.id)
    said = (
        select(
            review.c.claim_id,
            review.c.action,
            review.c.at_ms.label("from_ms"),
            func.coalesce(following, literal(FOR_GOOD, BigInteger)).label("next_ms"),
            func.coalesce(review.c.until_ms, literal(FOR_GOOD, BigInteger)).label("until_ms"),
        )
        .where(review.c.action.in_(["dismiss", "confirm", "reopen", "mute", "unmute"]))
        .subquery()
    )
    ends: Select[Any] = select(
        said.c.claim_id,
        said.c.from_ms,
        case((said.c.next_ms < said.c.until_ms, said.c.next_ms), else_=said.c.until_ms).label("to_ms"),
    ).where(said.c.action.in_(["dismiss", "mute"]))
    return ends.cte("silence")
