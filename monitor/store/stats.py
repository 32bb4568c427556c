"""Counts over time, straight from the tables: what charts are drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import BigInteger, Select, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.filters import Filters
from monitor.store.mentions import matching, of_occurrence
from monitor.store.merged import of_present
from monitor.store.tables import mention, occurrence
from monitor.times import now_ms, rfc3339

BucketSize = Literal["hour", "day"]
BUCKET_SIZES: tuple[BucketSize, ...] = get_args(BucketSize)
MAX_BUCKETS = 1_000
_MS: dict[BucketSize, int] = {"hour": 3_600_000, "day": 86_400_000}
_DEFAULT: dict[BucketSize, int] = {"hour": 24, "day": 30}  # buckets, where `since` is not given


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One hour or day of UTC: mentions heard in it, and the distinct claims that they carry, by type and by verdict.

    `by_platform` counts mentions. A claim whose verdict depends on the scope of what was said can count under two verdicts.
    """

    start: str
    mentions: int
    claims: int
    by_type: dict[str, int]
    by_verdict: dict[str, int]
    by_platform: dict[str, int]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Buckets in order of time, none left out."""

    buckets: list[Bucket]


async def stats(connection: AsyncConnection, bucket: BucketSize, filters: Filters) -> Stats:
    """Counts of the mentions that pass the filters, by the hour or day at which they were heard.

    `since` goes back to the start of its bucket (not given: the last 24 hours, the last 30 days), `until` is taken as it is;
    limit and cursor mean nothing here. Of more than MAX_BUCKETS the latest are given.
    """
    filters = await of_present(connection, filters)
    step = _MS[bucket]
    until = filters.until if filters.until is not None else now_ms() + 1
    since = filters.since if filters.since is not None else until - 1 - (_DEFAULT[bucket] - 1) * step
    first, last = since // step, (until - 1) // step
    first = max(first, last - MAX_BUCKETS + 1)
    whole = msgspec.structs.replace(filters, since=first * step, until=until, cursor=None)
    numbers, _ = matching(connection.dialect.name, whole)
    ids = numbers.subquery("ids")
    number = ids.c[0]
    place = _bucket_of(number, step)
    on = (occurrence.c.mention_id == number) & of_occurrence(whole)
    distinct = func.count(func.distinct(occurrence.c.claim_id))
    by_platform = await _counted(
        connection, select(place, mention.c.platform, func.count()).join_from(ids, mention, mention.c.id == number)
    )
    claims = await _counted(connection, select(place, literal_column("'all'"), distinct).join_from(ids, occurrence, on))
    by_type = await _counted(connection, select(place, occurrence.c.type, distinct).join_from(ids, occurrence, on))
    by_verdict = await _counted(connection, select(place, occurrence.c.verdict, distinct).join_from(ids, occurrence, on))
    return Stats(
        buckets=[
            Bucket(
                start=rfc3339(at * step),
                mentions=sum(by_platform.get(at, {}).values()),
                claims=claims.get(at, {}).get("all", 0),
                by_type=by_type.get(at, {}),
                by_verdict=by_verdict.get(at, {}),
                by_platform=by_platform.get(at, {}),
            )
            for at in range(first, last + 1)
        ]
    )


def _bucket_of(number: Any, step: int) -> Any:
    # Ids hold the time of arrival in their upper bits, so a bucket is a division and no second column is read.
    return number.op("/", return_type=BigInteger)(literal_column(str(step << 21))).label("bucket")


async def _counted(connection: AsyncConnection, query: Select[Any]) -> dict[int, dict[str, int]]:
    """The rows (bucket, name, count) as {bucket: {name: count}}, names in order."""
    rows: Iterable[Any] = await connection.execute(query.group_by(literal_column("1"), literal_column("2")))
    found: dict[int, dict[str, int]] = {}
    for bucket, name, count in sorted(rows, key=lambda row: (row[0], row[1])):
        found.setdefault(bucket, {})[name] = count
    return found
