"""Reading over HTTP: lists, single things, counts."""

from __future__ import annotations

from typing import cast

from aiohttp import web

from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import answer, answer_one, ask, choice, name_in_path
from monitor.store import alerts, claims, coverage, deliveries, detail, endpoints, mentions, news, sources
from monitor.store.filters import LONGEST_NAME, UNPRINTABLE
from monitor.store.stats import BUCKET_SIZES, BucketSize, stats
from monitor.words import DELIVERY_STATES, DeliveryState

OF_PAGE = ("limit", "cursor")
OF_NEWS = ("since", "until", "source", "limit", "cursor")
OF_STATS = ("since", "until", "type", "verdict", "stance", "source", "platform", "text", "claim", "watch")


async def get_mentions(request: web.Request) -> web.Response:
    """Mentions, newest first."""
    filters, _ = ask(request)
    async with request.app[PARTS].database.read() as connection:
        return answer(await mentions.page(connection, filters))


async def get_mention(request: web.Request) -> web.Response:
    """One mention, by exowatch's id or by `platform:id`."""
    ask(request, filters=())
    name = name_in_path(request, "id")
    async with request.app[PARTS].database.read() as connection:
        found = await mentions.find(connection, name)
    if found is None:
        raise Problem(404, "there is no mention with this id; GET /api/v1/mentions lists them")
    return answer_one(request, found)


async def get_claims(request: web.Request) -> web.Response:
    """Claims, the latest first seen first."""
    filters, _ = ask(request, of="claims")
    async with request.app[PARTS].database.read() as connection:
        return answer(await claims.page(connection, filters))


async def get_claim(request: web.Request) -> web.Response:
    """One claim with its timeline, its occurrences (the filters choose among them) and its alerts."""
    filters, _ = ask(request)
    name = name_in_path(request, "id")
    async with request.app[PARTS].database.read() as connection:
        found = await detail.find(connection, name, filters)
    if found is None:
        raise Problem(404, "there is no claim with this id; GET /api/v1/claims lists them")
    return answer_one(request, found)


async def get_alerts(request: web.Request) -> web.Response:
    """Alerts, newest first."""
    filters, _ = ask(request, of="alerts")
    async with request.app[PARTS].database.read() as connection:
        return answer(await alerts.page(connection, filters))


async def get_sources(request: web.Request) -> web.Response:
    """Sources by name; filters other than `source` ask for a mention of theirs that passes."""
    filters, _ = ask(request)
    async with request.app[PARTS].database.read() as connection:
        return answer(await sources.page(connection, filters))


async def get_coverage(request: web.Request) -> web.Response:
    """What of a source was surely heard: covered times, gaps with their cause, late arrivals."""
    filters, _ = ask(request, filters=("since", "until"))
    name = name_in_path(request, "name")
    async with request.app[PARTS].database.read() as connection:
        found = await coverage.find(connection, name, filters.since, filters.until)
    if found is None:
        raise Problem(404, "there is no source with this name")
    return answer_one(request, found)


async def get_news(request: web.Request) -> web.Response:
    """What is new on record elsewhere, for the editor of the register; the latest first."""
    filters, _ = ask(request, filters=OF_NEWS)
    async with request.app[PARTS].database.read() as connection:
        return answer(await news.page(connection, filters))


async def get_endpoints(request: web.Request) -> web.Response:
    """The configured endpoints and how each is, in the order of the settings."""
    filters, _ = ask(request, filters=OF_PAGE)
    parts = request.app[PARTS]
    async with parts.database.read() as connection:
        return answer(await endpoints.page(connection, parts.settings.endpoint, filters))


async def get_deliveries(request: web.Request) -> web.Response:
    """Deliveries, newest first, of one `endpoint` or in one `state` where asked."""
    filters, mine = ask(request, "endpoint", "state")
    state = cast(DeliveryState | None, choice(mine, "state", DELIVERY_STATES))
    endpoint = mine["endpoint"][-1] if "endpoint" in mine else None
    if endpoint is not None and (UNPRINTABLE.search(endpoint) or len(endpoint) > LONGEST_NAME):
        raise Problem(400, "endpoint is a name that no endpoint can have")
    async with request.app[PARTS].database.read() as connection:
        return answer(await deliveries.page(connection, filters, endpoint=endpoint, state=state))


async def get_stats(request: web.Request) -> web.Response:
    """Counts by hour or by day."""
    filters, mine = ask(request, "bucket", filters=OF_STATS)
    bucket = cast(BucketSize, choice(mine, "bucket", BUCKET_SIZES, "day"))
    async with request.app[PARTS].database.read() as connection:
        return answer(await stats(connection, bucket, filters))
