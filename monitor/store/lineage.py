"""Where a claim came from: who said it first, how it went from platform to platform, by how many people, in which words.

All of it follows from occurrences and their mentions, so it stays true after edits and reviews; only the wordings need texts that
are still there. Ids of mentions grow with the time of arrival: the smallest is the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.store import search
from monitor.store.authors import shown_author
from monitor.store.recount import put_forward
from monitor.store.tables import claim_author, mention, mention_text, mention_watch, occurrence
from monitor.times import rfc3339

MAX_DAYS = 1_000
MAX_VARIANTS = 20
MAX_READ = 2_000  # occurrences whose words are looked at
MAX_WORDING = 300  # characters of a quote by which wordings are told apart, and that are shown
UNKNOWN = "unknown"  # a language that nobody could tell
_DAY = 86_400_000


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A day of UTC on which a claim was heard: in how many mentions, in how many of them it was put forward, and by how many
    distinct authors up to its end."""

    start: str
    mentions: int
    put_forward: int
    authors: int


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A mention as lineage names it. `seen_at` is when exowatch heard it, `created_at` what its platform says."""

    mention_id: str
    platform: str
    source: str
    author: str | None
    url: str | None
    created_at: str | None
    seen_at: str


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """Quotes that say the same but for case, accents and signs: as the first of them is written, and how many there are."""

    quote: str
    occurrences: int
    first: str
    seen_at: str


class Variants(msgspec.Struct, frozen=True, kw_only=True):
    """The wordings of a claim, the most frequent first; `distinct` may be more than are listed.

    They are those of the newest `read` occurrences whose text is still there, `of` being all occurrences of the claim.
    """

    items: list[Variant]
    distinct: int
    read: int
    of: int


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """How a claim spread. `path` holds the first mention on each platform, in order of time; `authors` put it forward;
    `languages` count occurrences."""

    first_seen: Heard | None
    first_put_forward: Heard | None
    path: list[Heard]
    authors: int
    authors_by_platform: dict[str, int]
    languages: dict[str, int]
    variants: Variants


async def trace(connection: AsyncConnection, claim_id: str) -> tuple[Lineage, list[Day]]:
    """The lineage of the claim with this id, and the last MAX_DAYS days on which it was heard, in order of time."""
    of_claim = occurrence.c.claim_id == claim_id
    spread = await _spread(connection, of_claim)
    forward = select(occurrence.c.mention_id).where(of_claim, put_forward).order_by(occurrence.c.mention_id).limit(1)
    first_forward = (await connection.execute(forward)).scalar()
    heard = await _heard(connection, {*spread.firsts, *([] if first_forward is None else [first_forward])})
    path = [heard[number] for number in sorted(spread.firsts)]
    by_platform = await _authors(connection, claim_id)
    lineage = Lineage(
        first_seen=path[0] if path else None,
        first_put_forward=heard.get(first_forward) if first_forward is not None else None,
        path=path,
        authors=sum(by_platform.values()),
        authors_by_platform=by_platform,
        languages=await _languages(connection, of_claim),
        variants=await _variants(connection, of_claim),
    )
    return lineage, await _timeline(connection, of_claim, spread.new_authors)


async def watched(connection: AsyncConnection, claim_id: str) -> dict[str, int]:
    """The names of the watchlist that mentions of the claim speak of, the most frequent first, and in how many."""
    count = func.count(func.distinct(occurrence.c.mention_id))
    rows = await connection.execute(
        select(mention_watch.c.name, count)
        .join(occurrence, occurrence.c.mention_id == mention_watch.c.mention_id)
        .where(occurrence.c.claim_id == claim_id)
        .group_by(mention_watch.c.name)
        .order_by(count.desc(), mention_watch.c.name)
    )
    return {row[0]: row[1] for row in rows}


class _Spread(msgspec.Struct, frozen=True):
    """The first mention on each platform, and on which days (numbered from 1970) how many authors first put the claim forward."""

    firsts: list[int]
    new_authors: dict[int, int]


async def _spread(connection: AsyncConnection, of_claim: ColumnElement[bool]) -> _Spread:
    # One pass for both: of a claim in a hundred thousand mentions, the join and the sort by author are most of the work.
    number = occurrence.c.mention_id
    forward = func.min(number).filter(put_forward, mention.c.author.is_not(None))
    by_author = (
        select(mention.c.platform, func.min(number).label("first"), forward.label("forward"))
        .join_from(occurrence, mention, mention.c.id == number)
        .where(of_claim)
        .group_by(mention.c.platform, mention.c.author)
        .subquery()
    )
    by_day = select(
        by_author.c.platform, _day_of(by_author.c.forward), func.count(by_author.c.forward), func.min(by_author.c.first)
    )
    firsts: dict[str, int] = {}
    new_authors: dict[int, int] = {}
    for platform, day, authors, first in await connection.execute(by_day.group_by(literal_column("1"), literal_column("2"))):
        firsts[platform] = min(first, firsts.get(platform, first))
        if day is not None:
            new_authors[day] = new_authors.get(day, 0) + authors
    return _Spread(list(firsts.values()), new_authors)


async def _timeline(connection: AsyncConnection, of_claim: ColumnElement[bool], new_authors: dict[int, int]) -> list[Day]:
    number = occurrence.c.mention_id
    counts = (
        select(_day_of(number), func.count(func.distinct(number)), func.count(func.distinct(number)).filter(put_forward))
        .where(of_claim)
        .group_by(literal_column("1"))
        .order_by(literal_column("1").desc())
        .limit(MAX_DAYS)
    )
    days = list(await connection.execute(counts))[::-1]
    so_far = sum(count for day, count in new_authors.items() if days and day < days[0][0])
    found = []
    for day, mentions, forwarded in days:
        so_far += new_authors.get(day, 0)
        found.append(Day(start=rfc3339(day * _DAY), mentions=mentions, put_forward=forwarded, authors=so_far))
    return found


def _day_of(number: Any) -> Any:
    # Ids hold the time of arrival in their upper bits.
    return number.op("/", return_type=BigInteger)(literal_column(str(_DAY << 21))).label("day")


async def _languages(connection: AsyncConnection, of_claim: ColumnElement[bool]) -> dict[str, int]:
    rows = await connection.execute(
        select(mention.c.language, func.count())
        .join_from(occurrence, mention, mention.c.id == occurrence.c.mention_id)
        .where(of_claim)
        .group_by(mention.c.language)
        .order_by(func.count().desc(), mention.c.language)
    )
    return {row[0] or UNKNOWN: row[1] for row in rows}


async def _heard(connection: AsyncConnection, numbers: set[int]) -> dict[int, Heard]:
    rows = await connection.execute(select(mention).where(mention.c.id.in_(numbers)))
    return {
        row.id: Heard(
            mention_id=public_id("m", row.id),
            platform=row.platform,
            source=row.source,
            author=shown_author(row.author),
            url=row.url,
            created_at=rfc3339(row.created_ms),
            seen_at=rfc3339(row.seen_ms),
        )
        for row in rows
    }


async def _authors(connection: AsyncConnection, claim_id: str) -> dict[str, int]:
    """How many authors put the claim forward on each platform, most first."""
    rows = await connection.execute(
        select(claim_author.c.platform, func.count())
        .where(claim_author.c.claim_id == claim_id)
        .group_by(claim_author.c.platform)
        .order_by(func.count().desc(), claim_author.c.platform)
    )
    return {row[0]: row[1] for row in rows}


async def _variants(connection: AsyncConnection, of_claim: ColumnElement[bool]) -> Variants:
    everywhere = (await connection.execute(select(func.count()).select_from(occurrence).where(of_claim))).scalar_one()
    length = occurrence.c.end - occurrence.c.start
    quote = func.substr(mention_text.c.text, occurrence.c.start + 1, func.least(length, MAX_WORDING))
    if connection.dialect.name == "sqlite":
        quote = func.substr(mention_text.c.text, occurrence.c.start + 1, func.min(length, MAX_WORDING))
    newest = (
        select(occurrence.c.mention_id, mention.c.seen_ms, quote)
        .join(mention_text, mention_text.c.mention_id == occurrence.c.mention_id)
        .join(mention, mention.c.id == occurrence.c.mention_id)
        .where(of_claim)
        .order_by(occurrence.c.mention_id.desc())
        .limit(MAX_READ)
    )
    rows = [(number, seen_ms, said) for number, seen_ms, said in await connection.execute(newest)]
    # In a thread: folding thousands of long quotes would hold up everybody else.
    found = await asyncio.to_thread(_told_apart, rows)
    found.sort(key=lambda one: (-one.occurrences, one.seen_at, one.first))
    return Variants(items=found[:MAX_VARIANTS], distinct=len(found), read=len(rows), of=everywhere)


def _told_apart(newest_first: Sequence[tuple[int, int, str]]) -> list[Variant]:
    keys: dict[str, str] = {}
    counts: dict[str, int] = {}
    firsts: dict[str, tuple[int, int, str]] = {}
    for number, seen_ms, quote in newest_first:
        if quote not in keys:
            keys[quote] = " ".join(search.index_words(quote)) or quote.strip()
        key = keys[quote]
        counts[key] = counts.get(key, 0) + 1
        firsts[key] = (number, seen_ms, quote)
    return [
        Variant(quote=quote, occurrences=counts[key], first=public_id("m", number), seen_at=rfc3339(seen_ms))
        for key, (number, seen_ms, quote) in firsts.items()
    ]
