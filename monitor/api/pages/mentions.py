"""Mentions: search while typing, and one of them with its whole text and why it did or did not raise an alert."""

from __future__ import annotations

import asyncio

from aiohttp import web

from monitor.api.pages.looking import DOUBTFUL, PERIODS, choice, looking
from monitor.api.pages.render import page
from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import ask, name_in_path
from monitor.explain import explain, not_on_record
from monitor.store import mentions, overview
from monitor.store.facts import facts
from monitor.store.filters import FILTER_NAMES
from monitor.words import CLAIM_TYPES, STANCES, VERDICTS, Page

SHOWN = 30


async def get_mentions(request: web.Request) -> web.Response:
    """The mentions that pass the filters, newest first."""
    asked = looking(request, FILTER_NAMES, limit=SHOWN)
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
    parts = request.app[PARTS]
    name = name_in_path(request, "id")
    async with parts.database.read() as connection:
        found = await facts(connection, name)
    if found is None:
        raise Problem(404, not_on_record(name))
    keywords = await asyncio.to_thread(parts.intake.keywords.where, found.mention.text or "")
    why = explain(found, keywords, await parts.present(), parts.settings)
    return page(request, "mention.html", mention=found.mention, why=why)
