"""What the pages show at a glance: counts by day, what spreads, how single claims went. Each a short walk along an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, and_, func, literal_column, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import stored_id
from monitor.store import claims
from monitor.store.recount import put_forward
from monitor.store.tables import claim, mention, occurrence
from monitor.times import now_ms
from monitor.words import Claim

DAY_MS = 86_400_000
MAX_PLATFORMS = 50


class DayCount(msgspec.Struct, frozen=True, kw_only=True):
    """A day of UTC (numbered from 1970): mentions heard on it, and the distinct claims that they carry, in all and by type."""

    day: int
    mentions: int
    claims: int
    by_type: dict[str, int]


class Spreading(msgspec.Struct, frozen=True, kw_only=True):
    """A claim, and by how many distinct authors in how many mentions it was put forward in the time that was asked for."""

    claim: Claim
    authors: int
    mentions: int


def day_of(ms: int) -> int:
    """The day of UTC of a time, numbered from 1970."""
    return ms // DAY_MS


async def days(connection: AsyncConnection, first: int, last: int) -> list[DayCount]:
    """Counts of the days from `first` to `last`, both included, in order, none left out."""
    low, high = first * DAY_MS << 21, (last + 1) * DAY_MS << 21
    day = _day(mention.c.id)
    within = (mention.c.id >= low, mention.c.id < high)
    heard = await connection.execute(select(day, func.count()).where(*within).group_by(literal_column("1")))
    mentions: dict[int, int] = {row[0]: row[1] for row in heard}
    within = (occurrence.c.mention_id >= low, occurrence.c.mention_id < high)
    # Once for each claim of a day; what is then counted is few.
    said = select(_day(occurrence.c.mention_id), occurrence.c.type, occurrence.c.claim_id).where(*within).distinct().subquery()
    query = select(said.c.day, said.c.type, func.count()).group_by(said.c.day, said.c.type)
    by_type: dict[int, dict[str, int]] = {}
    for number, name, count in await connection.execute(query):
        by_type.setdefault(number, {})[name] = count
    return [
        DayCount(
            day=number,
            mentions=mentions.get(number, 0),
            claims=sum(by_type.get(number, {}).values()),  # a claim is of one type
            by_type=by_type.get(number, {}),
        )
        for number in range(first, last + 1)
    ]


async def heard_since(connection: AsyncConnection, since: int) -> tuple[int, int]:
    """How many mentions were heard since then (ms), and how many distinct claims they carry."""
    mentions = select(func.count()).select_from(mention).where(mention.c.id >= since << 21)
    said = select(func.count(func.distinct(occurrence.c.claim_id))).where(occurrence.c.mention_id >= since << 21)
    return (await connection.execute(mentions)).scalar_one(), (await connection.execute(said)).scalar_one()


async def courses(connection: AsyncConnection, claim_ids: Sequence[str], first: int, last: int) -> dict[str, list[int]]:
    """For each of these claims the mentions that carried it on each day from `first` to `last`, both included."""
    found = {claim_id: [0] * (last - first + 1) for claim_id in claim_ids}
    if not found:
        return found
    number = occurrence.c.mention_id
    query = (
        select(occurrence.c.claim_id, _day(number), func.count(func.distinct(number)))
        .where(occurrence.c.claim_id.in_(claim_ids), number >= first * DAY_MS << 21, number < (last + 1) * DAY_MS << 21)
        .group_by(literal_column("1"), literal_column("2"))
    )
    for claim_id, day, count in await connection.execute(query):
        found[claim_id][day - first] = count
    return found


async def spreading(connection: AsyncConnection, since: int, limit: int) -> list[Spreading]:
    """The claims that most authors have put forward since then (ms), at least two: such as may raise alerts, and that nobody has
    dismissed or muted. Where authors are not kept, mentions take their place."""
    number = occurrence.c.mention_id
    author: Any = func.count(func.distinct(mention.c.platform + literal_column("':'") + mention.c.author))
    heard = func.count(func.distinct(number))
    most = func.coalesce(func.nullif(author, 0), heard)
    awake = and_(claim.c.state != "dismissed", func.coalesce(claim.c.muted_until_ms, 0) <= now_ms())
    rows = await connection.execute(
        select(occurrence.c.claim_id, author, heard)
        .join(mention, mention.c.id == number)
        .join(claim, claim.c.id == occurrence.c.claim_id)
        .where(number >= since << 21, put_forward, claim.c.verdict != "supported", awake)
        .group_by(occurrence.c.claim_id)
        .having(most >= 2)
        .order_by(most.desc(), heard.desc(), occurrence.c.claim_id)
        .limit(limit)
    )
    counted = {row[0]: (row[1], row[2]) for row in rows}
    loaded = {one.id: one for one in await claims.load(connection, list(counted))}
    return [
        Spreading(claim=loaded[claim_id], authors=authors, mentions=mentions)
        for claim_id, (authors, mentions) in counted.items()
        if claim_id in loaded
    ]


async def platforms(connection: AsyncConnection) -> list[str]:
    """The platforms that mentions are from, by name."""
    found: list[str] = []
    after: str | None = ""
    while len(found) < MAX_PLATFORMS:  # a leap along the index for each, where DISTINCT would walk all of it
        query = select(mention.c.platform).where(mention.c.platform > after).order_by(mention.c.platform).limit(1)
        after = (await connection.execute(query)).scalar()
        if after is None:
            break
        found.append(after)
    return found


async def of_entry(connection: AsyncConnection, entry_id: str, limit: int) -> list[Claim]:
    """The claims on record that this entry of the register decides, those of most authors first."""
    query = (
        select(claim.c.id)
        .where(claim.c.entry == entry_id, claim.c.merged_into.is_(None))
        .order_by(claim.c.authors.desc(), claim.c.last_seen_ms.desc())
        .limit(limit)
    )
    ids = list((await connection.execute(query)).scalars())
    loaded = {one.id: one for one in await claims.load(connection, ids)}
    return [loaded[claim_id] for claim_id in ids if claim_id in loaded]


async def like(connection: AsyncConnection, one: Claim, limit: int) -> list[Claim]:
    """Other claims of the same type, the latest heard first: what a claim may have to be merged into."""
    same: ColumnElement[bool] = and_(claim.c.type == one.type, claim.c.id != one.id, claim.c.merged_into.is_(None))
    query = select(claim.c.id).where(same).order_by(claim.c.last_seen_ms.desc(), claim.c.id).limit(limit)
    return await claims.load(connection, list((await connection.execute(query)).scalars()))


async def merged_into(connection: AsyncConnection, claim_id: str, limit: int) -> dict[str, str]:
    """What the claims say that were merged into this one, by id: each can be taken out again."""
    query = select(claim.c.id, claim.c.claim).where(claim.c.merged_into == claim_id).order_by(claim.c.claim, claim.c.id)
    return {row.id: row.claim for row in await connection.execute(query.limit(limit))}


async def languages(connection: AsyncConnection, mention_ids: Sequence[str]) -> dict[str, str]:
    """The languages of these mentions, by id; those that nobody could tell are left out."""
    numbers = {number: name for name in mention_ids if (number := stored_id("m", name)) is not None}
    rows = await connection.execute(
        select(mention.c.id, mention.c.language).where(mention.c.id.in_(numbers), mention.c.language.is_not(None))
    )
    return {numbers[row[0]]: row[1] for row in rows}


async def captured(connection: AsyncConnection, numbers: Sequence[int]) -> dict[int, str]:
    """The fingerprint (`Post.version`) of the text that was judged, by the stored id of its mention; it outlives the text."""
    rows = await connection.execute(select(mention.c.id, mention.c.text_version).where(mention.c.id.in_(numbers)))
    return {row[0]: row[1] for row in rows}


def _day(number: Any) -> Any:
    # Ids hold the time of arrival in their upper bits.
    return type_coerce(number.op("/")(literal_column(str(DAY_MS << 21))), BigInteger).label("day")
