"""The web application: every route in one table."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from monitor.api import actions, atom, exports, guard, health, lists, live, openapi, pages, reasons, status, websub
from monitor.api.access import Access
from monitor.api.parts import PARTS, Authorities, Parts, Presently, Readiness, RegisterNow
from monitor.api.problems import problems, traced
from monitor.intake import Intake
from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Stream

STATIC = Path(__file__).parent / "static"


def make_app(
    *,
    settings: Settings,
    database: Database,
    stream: Stream,
    intake: Intake,
    ready: Readiness,
    present: Presently,
    register: RegisterNow,
    authorities: Authorities = dict,
    role: str = "serve",
    login_key: bytes | None = None,
) -> web.Application:
    """The application, ready for a runner. All of its parts stay the caller's, to be closed after the runner.

    `login_key` signs the logins of named tokens; without one they end with the process. Run it without aiohttp's access log:
    `?token=` of /live would stand in it.
    """
    middlewares = [traced, pages.show_errors, problems, pages.offer_login, guard.guard]
    app = web.Application(middlewares=middlewares, client_max_size=actions.MAX_BODY)
    app[PARTS] = Parts(
        settings=settings,
        database=database,
        stream=stream,
        intake=intake,
        ready=ready,
        present=present,
        authorities=authorities,
        register=register,
        role=role,
    )
    pages.prepare(app)
    app[guard.ACCESS] = Access(settings, login_key)
    app[exports.RUNNING] = asyncio.Semaphore(exports.MAX_AT_ONCE)
    app[live.CLIENTS] = set()
    app.on_response_prepare.append(guard.add_headers)
    app.on_shutdown.append(live.stop_listening)
    app.add_routes(
        [
            *pages.ROUTES,
            web.static("/static", STATIC),
            web.get("/healthz", health.get_health),
            web.get("/readyz", health.get_readiness),
            web.get("/metrics", health.get_metrics),
            web.get("/alerts.atom", atom.get_feed),
            web.get("/live", live.get_live, allow_head=False),
            web.get("/api/v1/live", live.get_live, allow_head=False),
            web.get(f"{websub.PREFIX}{{token}}", websub.get_callback, allow_head=False),
            web.post(f"{websub.PREFIX}{{token}}", websub.post_callback),
            web.get("/api/v1/openapi.json", openapi.get_openapi),
            web.get("/api/v1/mentions", lists.get_mentions),
            web.post("/api/v1/mentions", actions.post_mentions),
            *(web.get(f"/api/v1/{kind}/export", handler, allow_head=False) for kind, handler in exports.EXPORTS.items()),
            web.get("/api/v1/mentions/{id}", lists.get_mention),
            web.get("/api/v1/mentions/{id}/explain", reasons.get_explanation),
            web.get("/api/v1/claims", lists.get_claims),
            web.get("/api/v1/claims/{id}", lists.get_claim),
            web.post("/api/v1/claims/{id}/review", actions.post_review),
            web.get("/api/v1/alerts", lists.get_alerts),
            web.get("/api/v1/alerts/dry-run", reasons.get_dry_run),
            web.get("/api/v1/sources", lists.get_sources),
            web.get("/api/v1/sources/{name}/coverage", lists.get_coverage),
            web.get("/api/v1/evidence/news", lists.get_news),
            web.get("/api/v1/endpoints", lists.get_endpoints),
            web.post("/api/v1/endpoints/{name}/test", actions.post_endpoint_test),
            web.post("/api/v1/endpoints/{name}/redeliver", actions.post_endpoint_redeliver),
            web.get("/api/v1/deliveries", lists.get_deliveries),
            web.post("/api/v1/deliveries/{id}/redeliver", actions.post_redeliver),
            web.get("/api/v1/stats", lists.get_stats),
            web.get("/api/v1/status", status.get_status),
        ]
    )
    return app
