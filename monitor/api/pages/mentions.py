"""Mentions: search while typing, and one of them with its whole text and why it did or did not raise an alert."""

from __future__ import annotations

from aiohttp import web

from monitor.api.pages.looking import DOUBTFUL, PERIODS, choice, looking
from monitor.api.pages.render import page
from monitor.api.parts import PARTS
from monitor.api.queries import ask
from monitor.api.reasons import explained
from monitor.store import mentions, overview
from monitor.words import CLAIM_TYPES, STANCES, VERDICTS, Page

SHOWN = 30


async def get_mentions(request: web.Request) -> web.Response:
    """The mentions that pass the filters, newest first."""
    asked = looking(request, limit=SHOWN)
    async with request.app[PARTS].database.read() as connection:
        found = Page(items=[], next=None) if asked.wrong else await mentions.page(connection, asked.filters)
        platforms = await overview.platforms(connection)
    return page(
        request,
        "mentions.html",
        400 if asked.wrong else 200,
        asked=asked,
        found=found,
        choices=[
            choice("type", CLAIM_TYPES),
            choice("stance", STANCES),
            choice("verdict", VERDICTS),
            choice("platform", platforms),
            DOUBTFUL,
        ],
        periods=PERIODS,
    )


async def get_mention(request: web.Request) -> web.Response:
    """One mention: its text with the quotes marked, and step by step why it did or did not raise an alert."""
    ask(request, filters=())
    mention, why = await explained(request)
    return page(request, "mention.html", mention=mention, why=why)
