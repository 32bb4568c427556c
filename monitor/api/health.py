"""For the machines that watch the daemon: alive, ready, metrics."""

from __future__ import annotations

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from monitor import telemetry
from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.stream import StreamError, StreamUnavailable

log = structlog.get_logger()


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
    """All metrics as Prometheus reads them."""
    try:
        stats = await request.app[PARTS].stream.stats()
    except (StreamUnavailable, StreamError) as error:
        # The other figures still count; those of the stream become NaN rather than stay what they were.
        log.warning("the stream's figures are missing", error=str(error))
        _set_stream_gauges(*[float("nan")] * 5)
    else:
        _set_stream_gauges(stats.length, stats.pending, stats.lag, stats.oldest_age_s or 0.0, stats.dead)
    body = generate_latest(telemetry.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _set_stream_gauges(length: float, pending: float, lag: float, oldest: float, dead: float) -> None:
    telemetry.stream_length.set(length)
    telemetry.stream_pending.set(pending)
    telemetry.stream_lag.set(lag)
    telemetry.stream_oldest.set(oldest)
    telemetry.stream_dead.set(dead)
