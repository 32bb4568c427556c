"""What another threshold, or other filters of an endpoint, would have alerted: worked out from the record, writing nothing.

A claim would have been `claim.new` at its first occurrence in all history that is put forward, not supported, of a fresh post,
sure enough and not silenced by a review. Verdicts are the present ones. The database groups the occurrences; what is left for
this side is one row a claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, get_args

import msgspec
from sqlalchemy import CTE, ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.settings.alerting import speakers, wants
from monitor.settings.endpoint import Endpoint
from monitor.store import dry_families, dry_kinds
from monitor.store.budgets import NEVER_WAIT, hour_of
from monitor.store.conditions import NOVELTY
from monitor.store.dry_kinds import FIRST, Case, First, Key
from monitor.store.dry_rules import alerting, heard_ms, qualifies, silence_of_claims
from monitor.store.dry_terms import Terms, TriedEndpoint
from monitor.store.tables import alert, claim, mention, mention_watch, occurrence
from monitor.times import rfc3339
from monitor.words import AlertKind

_NOTHING = Case(kind="test", mention=None, at_ms=0, platform=None, about=None)
ChangeKind = Literal["gained", "lost", "kept"]
_CHANGES: tuple[ChangeKind, ...] = ("gained", "lost", "kept")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that is gained, lost or kept. `mention_id`, `platform`, `seen_at` and `confidence` are of the occurrence that
    would be the first to raise it (None: none would, or it has none); `alert_id` is the alert that there is. `claim` is the
    claim's sentence, or what an alert without a claim says; `authors` is the step of a `claim.spreading`."""

    change: ChangeKind
    kind: AlertKind
    claim_id: str | None
    claim: str
    authors: int | None
    mention_id: str | None
    platform: str | None
    seen_at: str | None
    confidence: float | None
    alert_id: str | None


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts there were, how many there would be, and the difference."""

    raised: int
    would_be: int
    gained: int
    lost: int
    kept: int


class DryRun(Numbers, frozen=True, kw_only=True):
    """How many alerts were `raised` in the window (by the endpoint's present filters, where one is tried), how many `would_be`,
    and the difference; `kinds` say so of each kind. `in_digests` of those that would be wait for one of so many `digests`.
    `items`: the gained, the lost and the kept ones, each the newest first, as far as `limit`."""

    since: str
    until: str
    min_confidence: float
    spreading: list[int]
    resurfaced_after_s: float
    endpoint: TriedEndpoint | None
    kinds: dict[AlertKind, Numbers]
    in_digests: int
    digests: int
    items: list[Change]


async def dry_run(connection: AsyncConnection, terms: Terms) -> DryRun:
    """The difference that the terms would have made to the alerts of their window."""
    watched = await _watched(connection, terms)
    families = await dry_families.families(connection)
    would = await _new(connection, terms, families) | await dry_kinds.would_be(connection, terms)
    raised = await dry_kinds.raised(connection, terms, families)
    if terms.tried is not None:
        others = await dry_kinds.others(connection, terms)
        would |= others
        raised |= others
    would = {key: one for key, one in would.items() if _wanted(terms.tried, one, watched)}
    raised = {key: one for key, one in raised.items() if _wanted(terms.configured, one, watched)}
    changes: dict[ChangeKind, list[Key]] = {
        "gained": [key for key in would if key not in raised],
        "lost": [key for key in raised if key not in would],
        "kept": [key for key in would if key in raised],
    }
    newest = {key: one.order for key, one in (raised | would).items()}
    shown = [(change, key) for change in _CHANGES for key in sorted(changes[change], key=lambda key: (newest[key], key))[::-1]]
    in_digests, digests = _over(terms.tried, would.values())
    kinds = {
        kind: _numbers(changes, raised, would, kind)
        for kind in get_args(AlertKind)
        if any(key[0] == kind for key in (*raised, *would))
    }
    return DryRun(
        since=rfc3339(terms.since),
        until=rfc3339(terms.until),
        min_confidence=terms.min_confidence,
        spreading=list(terms.spreading),
        resurfaced_after_s=terms.resurfaced_after_ms / 1000,
        endpoint=TriedEndpoint.of(terms.tried) if terms.tried else None,
        kinds=kinds,
        in_digests=in_digests,
        digests=digests,
        items=await _items(connection, terms, shown[: terms.limit], would, raised, families),
        **msgspec.structs.asdict(_numbers(changes, raised, would)),
    )


def _numbers(
    changes: Mapping[ChangeKind, Sequence[Key]], raised: Collection[Key], would: Collection[Key], kind: AlertKind | None = None
) -> Numbers:
    def count(keys: Collection[Key]) -> int:
        return sum(kind in (None, key[0]) for key in keys)

    return Numbers(raised=count(raised), would_be=count(would), **{change: count(keys) for change, keys in changes.items()})


def _wanted(endpoint: Endpoint | None, one: Case, watched: Mapping[int, Collection[str]]) -> bool:
    names = None if one.mention is None else watched.get(one.mention, ())
    return endpoint is None or wants(endpoint, one.kind, one.about, one.platform, names)


def _over(endpoint: Endpoint | None, would: Iterable[Case]) -> tuple[int, int]:
    """How many alerts are over the endpoint's budgets of their hours, and in how many hours."""
    if endpoint is None or endpoint.max_per_hour is None:
        return 0, 0
    hours = Counter(hour_of(one.at_ms) for one in would if one.kind not in NEVER_WAIT)
    over = [number - endpoint.max_per_hour for number in hours.values() if number > endpoint.max_per_hour]
    return sum(over), len(over)


async def _watched(connection: AsyncConnection, terms: Terms) -> dict[int, list[str]]:
    """The names that the endpoint asks for, as configured and as tried, by the mentions of the window that speak of them."""
    asked = {name for one in (terms.configured, terms.tried) if one is not None for name in one.watch}
    found: dict[int, list[str]] = {}
    if asked:
        low, high = terms.numbers
        number = mention_watch.c.mention_id
        named = select(number, mention_watch.c.name).where(mention_watch.c.name.in_(asked), number >= low, number < high)
        for row in await connection.execute(named):
            found.setdefault(row.mention_id, []).append(row.name)
    return found


async def _new(connection: AsyncConnection, terms: Terms, families: Mapping[str, str]) -> dict[Key, Case]:
    """What would have been told as new. What was split off and the claim that it was of count as one: they were one then."""
    would = {one.claim_id: one for one in await _firsts(connection, terms)}
    low, high = terms.numbers
    for head in sorted(set(families.values())):
        members = [claim_id for claim_id, its in families.items() if its == head]
        if not {claim_id for claim_id in members if would.pop(claim_id, None) is not None}:
            continue
        ever = await _ever(connection, terms, members)
        first = min(ever.values(), key=lambda one: one.mention, default=None)
        if first is not None and low <= first.mention < high:
            would[head] = msgspec.structs.replace(first, claim_id=head)
    return {("claim.new", claim_id, 0): Case.of("claim.new", one) for claim_id, one in would.items()}


async def _firsts(connection: AsyncConnection, terms: Terms) -> list[First]:
    """For each claim that would have been new in the window, the occurrence that speaks for it."""
    silence = silence_of_claims()
    low, high = terms.numbers
    number = occurrence.c.mention_id
    heard = (
        select(occurrence.c.claim_id, func.min(number).label("number"))
        .join(mention, mention.c.id == number)
        .where(number >= low, number < high, qualifies(occurrence, mention, silence, terms.min_confidence))
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
            qualifies(older, post, silence, terms.min_confidence),
        )
    )
    # A changed verdict was told instead: to what is heard later the claim is not new, and what was heard while the claim was
    # supported raised nothing.
    was_supported = alert.c.subject["before"]["verdict"].as_string() == "supported"
    told = select(1).where(
        alert.c.claim_id == heard.c.claim_id,
        alert.c.kind.in_([kind for kind in NOVELTY if kind != "claim.new"]),
        or_(alert.c.created_ms <= heard_ms(heard.c.number), was_supported),
    )
    return await _spoken(connection, heard, ~before.exists() & ~told.exists())


async def _spoken(connection: AsyncConnection, heard: CTE, wanted: ColumnElement[bool]) -> list[First]:
    rows = await connection.execute(
        select(*FIRST)
        .join_from(heard, occurrence, and_(occurrence.c.mention_id == heard.c.number, occurrence.c.claim_id == heard.c.claim_id))
        .join(mention, mention.c.id == occurrence.c.mention_id)
        .where(alerting(occurrence), wanted)
        .order_by(occurrence.c.claim_id, occurrence.c.n)
    )
    found = [First(*row) for row in rows]
    return [found[n] for n in speakers(found).values()]


async def _items(
    connection: AsyncConnection,
    terms: Terms,
    shown: Sequence[tuple[ChangeKind, Key]],
    would: Mapping[Key, Case],
    raised: Mapping[Key, Case],
    families: Mapping[str, str],
) -> list[Change]:
    ids = {key[1] for _, key in shown if key[0].startswith("claim.")}
    of_heads = ids | {claim_id for claim_id, head in families.items() if head in ids}
    sentences = {
        row.id: row.claim for row in await connection.execute(select(claim.c.id, claim.c.claim).where(claim.c.id.in_(ids)))
    }
    told: dict[str, int] = {}
    of_claims = select(alert.c.claim_id, alert.c.id).where(alert.c.claim_id.in_(of_heads), alert.c.kind == "claim.new")
    for row in await connection.execute(of_claims.order_by(alert.c.id)):
        told.setdefault(families.get(row.claim_id, row.claim_id), row.id)
    lost = [key[1] for change, key in shown if change == "lost" and key[0] == "claim.new"]
    later = await _ever(connection, terms, lost)
    items = []
    for change, key in shown:
        kind, claim_id, step = key
        there = raised.get(key)
        one = would.get(key)
        if one is None and kind == "claim.new":  # it would have been told at another time, perhaps
            one = Case.of("claim.new", later[claim_id]) if claim_id in later else None
        number = told.get(claim_id) if kind == "claim.new" else None if there is None else there.alert
        items.append(
            Change(
                change=change,
                kind=kind,
                claim_id=claim_id if claim_id in sentences else None,
                claim=sentences.get(claim_id) or (one or there or _NOTHING).says,
                authors=step if kind == "claim.spreading" else None,
                mention_id=None if one is None or one.mention is None else public_id("m", one.mention),
                platform=None if one is None else one.platform,
                seen_at=None if one is None else rfc3339(one.at_ms),
                confidence=None if one is None or one.about is None else one.about.confidence,
                alert_id=None if number is None else public_id("a", number),
            )
        )
    return items


async def _ever(connection: AsyncConnection, terms: Terms, claim_ids: Sequence[str]) -> dict[str, First]:
    """The first occurrence of each claim, whenever it was heard, that would be sure enough; claims without one are left out."""
    first = (
        select(occurrence.c.mention_id)
        .join(mention, mention.c.id == occurrence.c.mention_id)
        .where(occurrence.c.claim_id == claim.c.id, qualifies(occurrence, mention, silence_of_claims(), terms.min_confidence))
        .order_by(occurrence.c.mention_id)
        .limit(1)
        .correlate(claim)
        .scalar_subquery()
    )
    heard = select(claim.c.id.label("claim_id"), first.label("number")).where(claim.c.id.in_(claim_ids)).cte("heard")
    return {one.claim_id: one for one in await _spoken(connection, heard, heard.c.number.is_not(None))}
