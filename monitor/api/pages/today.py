"""Today: what is new, what spreads, which sources are unwell, how the last two weeks went."""

from __future__ import annotations

import time

import msgspec
from aiohttp import web

from monitor.api.pages.render import page
from monitor.api.parts import PARTS
from monitor.api.queries import ask
from monitor.store import Connection, claims, detail, inbox, overview, parse_filters, sources
from monitor.store.overview import DAY_MS, DayCount
from monitor.words import CLAIM_TYPES, now_ms, rfc3339

DAYS = 14
COURSE_DAYS = 30  # of a claim's small chart
SHOWN = 12  # new claims
SPREADING_MS = 2 * DAY_MS
SPREADING_SHOWN = 6
UNWELL = ("down", "failing", "silent")
_KEPT_S = 300.0  # how long counts of days that are over are taken from memory


class Row(msgspec.Struct, frozen=True):
    """A line of the chart."""

    title: str
    link: str
    values: list[int]
    new: int  # today


class Past:
    """Counts of the days before today. They change little (an edit, a review, a deletion), so they are read once in a while."""

    def __init__(self) -> None:
        self._days: list[DayCount] = []
        self._read_at = -_KEPT_S

    def forget(self) -> None:
        """The next one asked for is read."""
        self._days = []

    async def days(self, connection: Connection, today: int) -> list[DayCount]:
        """The DAYS - 1 days before today, in order."""
        fresh = self._days and self._days[-1].day == today - 1 and time.monotonic() - self._read_at < _KEPT_S
        if not fresh:
            self._days = await overview.days(connection, today - DAYS + 1, today - 1)
            self._read_at = time.monotonic()
        return self._days


PAST = web.AppKey("past_days", Past)


async def get_today(request: web.Request) -> web.Response:
    """What is new: unsupported and contradicted claims, the latest first, and how everything is.

    What a person dismissed or muted is not shown.
    """
    ask(request, filters=())
    parts = request.app[PARTS]
    now = now_ms()
    today = overview.day_of(now)
    wanted = {"verdict": ["unsupported", "contradicted"], "stance": ["asserts", "reports"], "state": ["open", "confirmed"]}
    async with parts.database.read() as connection:
        new = (await claims.page(connection, parse_filters(wanted | {"limit": [str(SHOWN)]}))).items
        said = await detail.first_said(connection, [one.id for one in new])
        spreading = await overview.spreading(connection, now - SPREADING_MS, SPREADING_SHOWN)
        spread = [one.claim.id for one in spreading]
        courses = await overview.courses(connection, spread, today - COURSE_DAYS + 1, today)
        days = [*await request.app[PAST].days(connection, today), *await overview.days(connection, today, today)]
        all_sources = await sources.listing(connection)
        open_alerts = await inbox.count_open(connection)
        mentions, said_claims = await overview.heard_since(connection, now - DAY_MS)
    return page(
        request,
        "today.html",
        rows=[(one, said[one.id]) for one in new if one.id in said],
        mentions=mentions,
        claims=said_claims,
        new=sum(one.first_seen >= rfc3339(now - DAY_MS) for one in new),
        shown=SHOWN,
        spreading=spreading,
        courses=courses,
        course_days=_labels(today - COURSE_DAYS + 1, today),
        chart=_chart(days),
        days=days,
        day_names=_labels(days[0].day, days[-1].day),
        sources=[one for one in all_sources if one.state != "off"],
        unwell=[one for one in all_sources if one.state in UNWELL],
        open_alerts=open_alerts,
    )


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
