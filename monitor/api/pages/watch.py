"""What the daemon listens to and whom it tells: sources; endpoints with their deliveries."""

from __future__ import annotations

from typing import cast, get_args

from aiohttp import web

from monitor import heartbeats
from monitor.api.access import caller_of
from monitor.api.actions import send_again
from monitor.api.pages import forms
from monitor.api.pages.looking import PERIODS, Choice, choice, looking
from monitor.api.pages.render import page
from monitor.api.pages.strip import CELL_MS, CELLS, strip
from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import ask, name_in_path
from monitor.ids import stored_id
from monitor.store import alerts, coverage, deliveries, endpoints, parse_filters, sources
from monitor.store.delivery_log import Settled, again
from monitor.stream import Signal, StreamError
from monitor.times import now_ms, parse_time, rfc3339
from monitor.words import DELIVERY_STATES, Delivery, DeliveryState, Page

SHOWN = 40
_ORDER = ("down", "failing", "silent", "waiting", "ok", "off")


async def get_sources(request: web.Request) -> web.Response:
    """Every source, those that are unwell first, with what was surely heard of each."""
    ask(request, filters=())
    now = now_ms()
    async with request.app[PARTS].database.read() as connection:
        found = await sources.listing(connection)
        failed = await sources.last_failed(connection)
        ledgers = {one.name: await coverage.find(connection, one.name, now - CELLS * CELL_MS) for one in found}
    found.sort(key=lambda one: (_ORDER.index(one.state), one.name))
    since = {one.name: (now - parse_time(one.last_success)) / 1000 for one in found if one.last_success}
    strips = {name: strip(ledger, now) for name, ledger in ledgers.items() if ledger is not None}
    parts = await _heard_from(request) if "admin" in caller_of(request).scopes else None
    return page(
        request,
        "sources.html",
        sources=found,
        since=since,
        failed={one: rfc3339(at) for one, at in failed.items()},
        ledgers=ledgers,
        strips=strips,
        parts=parts,
    )


async def _heard_from(request: web.Request) -> heartbeats.Status | None:
    """Which parts were heard from; None while Redis does not answer: how the sources are is on record without it."""
    parts = request.app[PARTS]
    try:
        return await heartbeats.status(parts.stream, parts.role)
    except StreamError:
        return None


async def get_endpoints(request: web.Request) -> web.Response:
    """Every endpoint, and the deliveries that are asked for, newest first."""
    parts = request.app[PARTS]
    names = [one.name for one in parts.settings.endpoint]
    asked = looking(request, ("cursor",), {"endpoint": (), "state": DELIVERY_STATES, "sent": ()}, limit=SHOWN)
    state = cast(DeliveryState | None, asked.mine.get("state", [None])[-1])
    name = asked.mine.get("endpoint", [None])[-1]
    found: Page[Delivery] = Page(items=[], next=None)
    async with parts.database.read() as connection:
        statuses = await deliveries.endpoint_statuses(connection, parts.settings.endpoint)
        reasons = await endpoints.reasons(connection)
        last = await endpoints.last_delivered(connection)
        if asked.wrong is None:
            found = await deliveries.page(connection, asked.filters, endpoint=name, state=state)
        told = await alerts.load(connection, [n for one in found.items if (n := stored_id("a", one.alert_id)) is not None])
    return page(
        request,
        "endpoints.html",
        400 if asked.wrong else 200,
        asked=asked,
        endpoints=[(one, of) for one, of in zip(statuses, parts.settings.endpoint, strict=True)],
        reasons=reasons,
        last={one: rfc3339(at) for one, at in last.items()},
        found=found,
        told={one.alert.id: one.alert for one in told.values()},
        sent=asked.first("sent"),
        periods=PERIODS,
        choices=[Choice("endpoint", "Endpoint", {one: one for one in names}), choice("state", DELIVERY_STATES)],
    )


async def post_test(request: web.Request) -> web.Response:
    """Puts a signed test alert on its way to one endpoint."""
    name = name_in_path(request, "name")
    await forms.posted(request)
    parts = request.app[PARTS]
    endpoint = next((one for one in parts.settings.endpoint if one.name == name), None)
    if endpoint is None:
        raise Problem(404, "there is no endpoint with this name")
    async with parts.database.write() as connection:
        number = await deliveries.raise_test(connection, endpoint)
        delivery = await deliveries.find(connection, number)
    if delivery is not None:
        await parts.stream.signal(Signal(kind="alert", id=delivery.alert_id))  # wakes the sender and open pages
    return forms.go("/endpoints?sent=test")


async def post_redeliver_all(request: web.Request) -> web.Response:
    """Sends all dead (or delivered, or any) deliveries of a time to one endpoint once more."""
    name = name_in_path(request, "name")
    fields = await forms.posted(request)
    parts = request.app[PARTS]
    if all(one.name != name for one in parts.settings.endpoint):
        raise Problem(404, "there is no endpoint with this name")
    state, since = fields.get("state", "dead"), fields.get("since", "")
    if state not in get_args(Settled) or since not in PERIODS:
        raise Problem(400, f"state is one of {', '.join(get_args(Settled))}, and since one of {', '.join(PERIODS)}")
    queued = await send_again(parts.database, again(name, parse_filters({"since": [since]}), cast(Settled, state)))
    await parts.stream.signal(Signal(kind="delivery", id=name))
    return forms.go(f"/endpoints?sent={queued}")


async def post_redeliver(request: web.Request) -> web.Response:
    """Sends a dead or delivered delivery once more."""
    number = stored_id("d", name_in_path(request, "id"))
    fields = await forms.posted(request)
    delivery = None
    if number is not None:
        async with request.app[PARTS].database.write() as connection:
            delivery = await deliveries.redeliver(connection, number, now_ms())
    if delivery is None:
        raise Problem(404, "there is no delivery with this id")
    await request.app[PARTS].stream.signal(Signal(kind="delivery", id=delivery.endpoint))  # other open pages look again
    return forms.go(fields.get("next", "/endpoints"))
