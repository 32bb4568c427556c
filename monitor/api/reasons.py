"""Why over HTTP: what became of a mention, and what other thresholds and filters would have alerted."""

from __future__ import annotations

import asyncio

from aiohttp import web

from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import answer, answer_one, ask, name_in_path
from monitor.explain import Explanation, explain, not_on_record
from monitor.store.dry_run import dry_run
from monitor.store.dry_terms import NAMES, NoEndpointError, parse_terms
from monitor.store.facts import facts
from monitor.words import Mention


async def explained(request: web.Request) -> tuple[Mention, Explanation]:
    """The mention that the path names, and step by step why it did or did not raise an alert. Raises Problem."""
    parts = request.app[PARTS]
    name = name_in_path(request, "id")
    async with parts.database.read() as connection:
        found = await facts(connection, name)
    if found is None:
        raise Problem(404, not_on_record(name))
    keywords = await asyncio.to_thread(parts.intake.keywords.where, found.mention.text or "")
    return found.mention, explain(found, keywords, await parts.present(), parts.settings)


async def get_explanation(request: web.Request) -> web.Response:
    """Why a mention did or did not raise an alert, step by step."""
    ask(request, filters=())
    _, why = await explained(request)
    return answer_one(request, why)


async def get_dry_run(request: web.Request) -> web.Response:
    """What another threshold, or other filters of an endpoint, would have alerted; nothing is written."""
    _, given = ask(request, *NAMES, filters=())
    parts = request.app[PARTS]
    try:
        terms = parse_terms(given, parts.settings.alerts, parts.settings.endpoint)
    except NoEndpointError as error:
        raise Problem(404, str(error)) from None
    async with parts.database.read() as connection:
        return answer(await dry_run(connection, terms))
