"""The pages: made here on the server, escaped by default, since the posts in them are hostile; usable without any script."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.api.pages import alerts, claims, evidence, login, mentions, past, today, watch
from monitor.api.pages.login import offer_login, wants_page
from monitor.api.pages.render import page

__all__ = ["ROUTES", "offer_login", "prepare", "show_errors"]

ROUTES = [
    web.get("/", today.get_today),
    web.get("/claims", claims.get_claims),
    web.get("/claims/{id}", claims.get_claim),
    web.post("/claims/{id}/review", claims.post_review),
    web.get("/claims/{id}/case", claims.get_case),
    web.get("/mentions", mentions.get_mentions),
    web.get("/mentions/{id}", mentions.get_mention),
    web.get("/alerts", alerts.get_alerts),
    web.post("/alerts/{id}", alerts.post_alert),
    web.get("/evidence", evidence.get_evidence),
    web.get("/evidence/news", evidence.get_news),
    web.get("/evidence/{id}", evidence.get_entry),
    web.get("/sources", watch.get_sources),
    web.get("/endpoints", watch.get_endpoints),
    web.post("/endpoints/{name}/test", watch.post_test),
    web.post("/endpoints/{name}/redeliver", watch.post_redeliver_all),
    web.post("/deliveries/{id}/redeliver", watch.post_redeliver),
    web.get("/you", login.get_you),
    web.post("/you", login.post_you),
    web.get("/login", login.get_login),
    web.post("/login", login.post_login),
    web.post("/logout", login.post_logout),
]


def prepare(app: web.Application) -> None:
    """What the pages keep in the application."""
    app[past.PAST] = past.Past()
    app.cleanup_ctx.append(past.keep_past)


class _Said(msgspec.Struct):
    status: int
    title: str
    detail: str


@web.middleware
async def show_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Shows an error to a person with a browser as a page; programs get it as it is."""
    answer = await handler(request)
    shown: Any = getattr(answer, "body", None)
    if answer.content_type != "application/problem+json" or not wants_page(request) or not isinstance(shown, bytes):
        return answer
    error = page(request, "error.html", answer.status, error=msgspec.json.decode(shown, type=_Said))
    for name in ("Retry-After", "WWW-Authenticate", "Allow"):
        if name in answer.headers:
            error.headers[name] = answer.headers[name]
    return error
