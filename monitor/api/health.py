"""For the machines that watch the daemon: alive, ready, metrics."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from monitor import metrics
from monitor.api import guard
from monitor.api.parts import PARTS
from monitor.api.problems import Problem


async def get_health(_request: web.Request) -> web.Response:
    """200 while the process answers at all."""
    return web.Response(text="alive\n")


async def get_readiness(request: web.Request) -> web.Response:
    """200 while the daemon can do its work, else 503. Which part cannot, why, and what to do is for those who may read."""
    troubles = await request.app[PARTS].ready()
    failing = [one for one in troubles if one.failing]
    told = guard.may_read(request)
    if failing:
        which = f": {', '.join(one.part for one in failing)}" if told else ""
        parts = [{"part": one.part, "problem": one.problem, "mend": one.mend} for one in troubles if told]
        raise Problem(503, f"not ready{which}", {"Retry-After": "5"}, {"parts": parts} if parts else None)
    words = [f"{one.part}: {one.problem}; {one.mend}" for one in troubles if told]
    return web.Response(text="\n".join(["ready", *words, ""]))


async def get_metrics(request: web.Request) -> web.Response:
    """All metrics as Prometheus reads them, those of other processes included."""
    parts = request.app[PARTS]
    body = await metrics.page(parts.stream, parts.role)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
