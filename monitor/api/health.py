"""For the machines that watch the daemon: alive, ready, metrics."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from monitor import metrics
from monitor.api.parts import PARTS
from monitor.api.problems import Problem


async def get_health(_request: web.Request) -> web.Response:
    """200 while the process answers at all."""
    return web.Response(text="alive\n")


async def get_readiness(request: web.Request) -> web.Response:
    """200 while the daemon can do its work, else 503 with the parts that cannot."""
    missing = await request.app[PARTS].ready()
    if missing:
        raise Problem(503, f"not ready: {', '.join(missing)}", {"Retry-After": "5"})
    return web.Response(text="ready\n")


async def get_metrics(request: web.Request) -> web.Response:
    """All metrics as Prometheus reads them, those of other processes included."""
    parts = request.app[PARTS]
    body = await metrics.page(parts.stream, parts.role)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
