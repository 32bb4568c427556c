"""The evidence register, to be read: what the public record says of each proposition, where, and on whose word."""

from __future__ import annotations

import datetime as dt

from aiohttp import web

from monitor.api import lists
from monitor.api.pages.looking import Looking, choice, looking
from monitor.api.pages.render import page
from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import ask, name_in_path
from monitor.store import Filters, news, overview
from monitor.store.news import NewsItem
from monitor.store.search import says
from monitor.topic.register import STALE_MONTHS, Entry
from monitor.words import CLAIM_TYPES, VERDICTS, Page

CLAIMS = 20  # on record, that an entry decides
NEWS = 5  # beside the register; all of them have a page of their own


async def get_evidence(request: web.Request) -> web.Response:
    """The entries that pass the filters, by type and then as the register has them."""
    register = request.app[PARTS].register()
    entries = list(register.entries.values())
    places = sorted({place for one in entries for place in one.verdicts}, key=lambda place: (place == "global", place))
    asked = looking(request, ("type", "verdict", "text"), {"place": places})
    found = [] if asked.wrong else [one for one in entries if _passes(one, asked)]
    async with request.app[PARTS].database.read() as connection:
        fresh = (await news.page(connection, Filters(limit=NEWS))).items
    return page(
        request,
        "evidence.html",
        400 if asked.wrong else 200,
        asked=asked,
        by_type=[(name, of_type) for name in CLAIM_TYPES if (of_type := [one for one in found if one.type == name])],
        shown=len(found),
        total=len(entries),
        version=register.version,
        old=_too_old(),
        fresh=fresh,
        choices=[choice("type", CLAIM_TYPES), choice("verdict", VERDICTS), choice("place", places, "Jurisdiction")],
    )


async def get_news(request: web.Request) -> web.Response:
    """What is new on record elsewhere, for the editor of the register; the latest first."""
    asked = looking(request, lists.OF_NEWS)
    found: Page[NewsItem] = Page(items=[], next=None)
    if asked.wrong is None:
        async with request.app[PARTS].database.read() as connection:
            found = await news.page(connection, asked.filters)
    return page(request, "news.html", 400 if asked.wrong else 200, asked=asked, found=found)


async def get_entry(request: web.Request) -> web.Response:
    """One entry with its citations, and the claims on record that it decides."""
    ask(request, filters=())
    parts = request.app[PARTS]
    register = parts.register()
    entry = register.get(name_in_path(request, "id"))
    if entry is None:
        raise Problem(404, "the register has no entry with this id")
    async with parts.database.read() as connection:
        decided = await overview.of_entry(connection, entry.id, CLAIMS)
    clashes = [one for name in entry.clashes if (one := register.get(name))]
    return page(request, "entry.html", entry=entry, decided=decided, clashes=clashes, old=_too_old(), version=register.version)


def _passes(entry: Entry, asked: Looking) -> bool:
    wanted, places = asked.filters, asked.mine.get("place", [])
    if wanted.type and entry.type not in wanted.type:
        return False
    if places and not any(entry.verdict_in(place) for place in places):
        return False
    given = [entry.verdict_in(place) for place in places] or list(entry.verdicts.values())
    if wanted.verdict and not set(given) & set(wanted.verdict):
        return False
    said = " ".join((entry.id, entry.claim, entry.note, *(cite.citation for cite in entry.citations)))
    return says(said, wanted.text)


def _too_old() -> dt.date:
    """The day before which a record is so old that an editor should look for another."""
    today = dt.datetime.now(dt.UTC).date()
    month = today.year * 12 + today.month - 1 - STALE_MONTHS
    return dt.date(month // 12, month % 12 + 1, min(today.day, 28))
