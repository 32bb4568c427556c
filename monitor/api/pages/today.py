"""Today: what is new, what spreads, which sources are unwell, how the last two weeks went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from monitor.api.pages.past import PAST, Past
from monitor.api.pages.render import page
from monitor.api.parts import PARTS
from monitor.api.queries import ask
from monitor.store import Database, claims, detail, inbox, overview, parse_filters, sources
from monitor.store.detail import Place
from monitor.store.overview import DAY_MS, DayCount
from monitor.times import now_ms, rfc3339
from monitor.words import CLAIM_TYPES, Claim, SourceStatus

COURSE_DAYS = 30  # of a claim's small chart
SHOWN = 12  # new claims
SPREADING_MS = 2 * DAY_MS
SPREADING_SHOWN = 6
UNWELL = ("down", "failing", "silent")


class Row(msgspec.Struct, frozen=True):
    """A line of the chart."""

    title: str
    link: str
    values: list[int]
    new: int  # today


class News(msgspec.Struct, frozen=True, kw_only=True):
    """The latest claims, where each was first said, in which language; the sources, and how many alerts wait for somebody."""

    claims: Sequence[Claim]
    said: Mapping[str, Place]
    languages: Mapping[str, str]
    sources: Sequence[SourceStatus]
    open_alerts: int


async def get_today(request: web.Request) -> web.Response:
    """What is new: unsupported and contradicted claims, the latest first, and how everything is.

    What a person dismissed or muted is not shown.
    """
    ask(request, filters=())
    parts = request.app[PARTS]
    now = now_ms()
    today = overview.day_of(now)
    news, (spreading, courses), (days, mentions, said_claims) = await asyncio.gather(
        _news(parts.database), _spreading(parts.database, now), _counts(parts.database, request.app[PAST], now)
    )
    return page(
        request,
        "today.html",
        rows=[(one, news.said[one.id]) for one in news.claims if one.id in news.said],
        languages=news.languages,
        mentions=mentions,
        claims=said_claims,
        new=sum(one.first_seen >= rfc3339(now - DAY_MS) for one in news.claims),
        shown=SHOWN,
        spreading=spreading,
        courses=courses,
        course_days=_labels(today - COURSE_DAYS + 1, today),
        chart=_chart(days),
        days=days,
        day_names=_labels(days[0].day, days[-1].day),
        sources=[one for one in news.sources if one.state != "off"],
        unwell=[one for one in news.sources if one.state in UNWELL],
        open_alerts=news.open_alerts,
    )


# The three are asked at once, each on a connection of its own: to count two days of a busy topic takes as long as all the rest.


async def _news(database: Database) -> News:
    wanted = {"verdict": ["unsupported", "contradicted"], "stance": ["asserts", "reports"], "state": ["open", "confirmed"]}
    async with database.read() as connection:
        new = (await claims.page(connection, parse_filters(wanted | {"limit": [str(SHOWN)]}, "claims"))).items
        said = await detail.first_said(connection, [one.id for one in new])
        return News(
            claims=new,
            said=said,
            languages=await overview.languages(connection, [place.mention_id for place in said.values()]),
            sources=await sources.listing(connection),
            open_alerts=await inbox.count_open(connection),
        )


async def _spreading(database: Database, now: int) -> tuple[list[overview.Spreading], dict[str, list[int]]]:
    today = overview.day_of(now)
    async with database.read() as connection:
        found = await overview.spreading(connection, now - SPREADING_MS, SPREADING_SHOWN)
        return found, await overview.courses(connection, [one.claim.id for one in found], today - COURSE_DAYS + 1, today)


async def _counts(database: Database, past: Past, now: int) -> tuple[list[DayCount], int, int]:
    async with database.read() as connection:
        days = await past.days(connection, overview.day_of(now))
        return days, *await overview.heard_since(connection, now - DAY_MS)


def _labels(first: int, last: int) -> list[str]:
    return [label(day) for day in range(first, last + 1)]


def label(day: int) -> str:
    """A day of UTC by its number: `22 Nov`."""
    moment = time.gmtime(day * 86_400)
    return f"{moment.tm_mday} {time.strftime('%b', moment)}"


def _chart(days: list[DayCount]) -> list[Row]:
    rows = [
        Row("Mentions", "/mentions?since=30d", [one.mentions for one in days], days[-1].mentions),
        Row("Claims", "/claims?since=30d", [one.claims for one in days], days[-1].claims),
    ]
    for name in CLAIM_TYPES:
        values = [one.by_type.get(name, 0) for one in days]
        if any(values):
            rows.append(Row(name, f"/claims?type={name}&since=30d", values, values[-1]))
    return rows
