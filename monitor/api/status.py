"""Which parts of an installation are heard from, for those who run it."""

from __future__ import annotations

from aiohttp import web

from monitor import heartbeats
from monitor.api.access import needs
from monitor.api.parts import PARTS
from monitor.api.queries import answer, ask


@needs("admin")
async def get_status(request: web.Request) -> web.Response:
    """Roles and processes that were heard from, and when last."""
    ask(request, filters=())
    parts = request.app[PARTS]
    return answer(await heartbeats.status(parts.stream, parts.role))
