"""The description of the API (OpenAPI 3.1), made from the routes and the types that they answer with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from aiohttp import web

from monitor import __version__
from monitor.api import actions, atom, bodies, exports, health, lists, live, parameters, reasons
from monitor.api import status as whole
from monitor.api.access import scope_of
from monitor.api.guard import OPEN
from monitor.api.parts import PARTS
from monitor.api.queries import answer_one
from monitor.explain import Explanation
from monitor.export import CONTENT_TYPES
from monitor.heartbeats import Status
from monitor.store import dry_terms
from monitor.store.detail import ClaimDetail
from monitor.store.dry_run import DryRun
from monitor.store.filters import NAMES, STATES
from monitor.store.news import NewsItem
from monitor.store.reviewing import Reviewed
from monitor.store.stats import Stats
from monitor.words import Alert, Claim, Coverage, Delivery, EndpointStatus, Mention, Page, SourceStatus

Schema = dict[str, Any]


PREFIX = "/api/v1"


class ProblemDetails(msgspec.Struct):
    """What every error looks like (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Operation(msgspec.Struct, frozen=True):
    """What a route answers with (a type, or None for what is not JSON), and the parameters and body that it takes.

    `repeated` are parameters that mean something of their own here: what each may be, as often as wanted. `cursor` says what
    the list is in the order of, `content` what an answer is that is not JSON, `tagged` whether it can be 304.
    """

    answer: Any
    parameters: tuple[str, ...] = ()
    status: int = 200
    body: Literal["posts", "review", "again"] | None = None
    repeated: Mapping[str, tuple[str, ...]] = {}
    cursor: str = "number"
    content: tuple[str, ...] = ()
    tagged: bool = False


_FILES = tuple(CONTENT_TYPES.values())
_OF_CLAIMS = {"state": STATES["claims"]}
_OF_ALERTS = {"state": STATES["alerts"]}

OPERATIONS: dict[Any, Operation] = {
    lists.get_mentions: Operation(Page[Mention], NAMES["mentions"]),
    lists.get_mention: Operation(Mention, tagged=True),
    reasons.get_explanation: Operation(Explanation, tagged=True),
    lists.get_claims: Operation(Page[Claim], NAMES["claims"], repeated=_OF_CLAIMS, cursor="claim"),
    lists.get_claim: Operation(ClaimDetail, NAMES["mentions"], tagged=True),
    lists.get_alerts: Operation(Page[Alert], NAMES["alerts"], repeated=_OF_ALERTS),
    reasons.get_dry_run: Operation(DryRun, dry_terms.NAMES),
    lists.get_sources: Operation(Page[SourceStatus], NAMES["mentions"], cursor="name"),
    lists.get_coverage: Operation(Coverage, ("since", "until"), tagged=True),
    lists.get_news: Operation(Page[NewsItem], lists.OF_NEWS),
    lists.get_endpoints: Operation(Page[EndpointStatus], lists.OF_PAGE),
    lists.get_deliveries: Operation(Page[Delivery], ("endpoint", "state", *NAMES["mentions"])),
    whole.get_status: Operation(Status),
    lists.get_stats: Operation(Stats, ("bucket", *lists.OF_STATS)),
    exports.export_mentions: Operation(None, ("format", *exports.OF_EXPORT["mentions"]), content=_FILES),
    exports.export_occurrences: Operation(None, ("format", *exports.OF_EXPORT["mentions"]), content=_FILES),
    exports.export_claims: Operation(None, ("format", *exports.OF_EXPORT["claims"]), repeated=_OF_CLAIMS, content=_FILES),
    exports.export_alerts: Operation(None, ("format", *exports.OF_EXPORT["alerts"]), repeated=_OF_ALERTS, content=_FILES),
    actions.post_mentions: Operation(actions.Taken, status=202, body="posts"),
    actions.post_review: Operation(Reviewed, body="review"),
    actions.post_endpoint_test: Operation(Delivery, status=202),
    actions.post_endpoint_redeliver: Operation(actions.Queued, status=202, body="again"),
    actions.post_redeliver: Operation(Delivery, status=202),
    live.get_live: Operation(None, ("event", "token", *live.OF_LIVE), content=("text/event-stream",)),
    atom.get_feed: Operation(
        None, ("token", *NAMES["alerts"]), repeated=_OF_ALERTS, content=("application/atom+xml",), tagged=True
    ),
    health.get_health: Operation(None, content=("text/plain",)),
    health.get_readiness: Operation(None, content=("text/plain",)),
    health.get_metrics: Operation(None, content=("text/plain",)),
}


def describe(app: web.Application) -> Schema:
    """The description of the routes that programs use: those under PREFIX, and beside it those of OPERATIONS."""
    types = [op.answer for op in OPERATIONS.values() if op.answer is not None]
    schemas, components = msgspec.json.schema_components(
        [*types, ProblemDetails, bodies.PostIn], ref_template="#/components/schemas/{name}"
    )
    by_type = dict(zip(map(repr, types), schemas, strict=False))
    *_, problem, post = schemas
    of_body = {"posts": bodies.posts(post), "review": bodies.review(), "again": bodies.again()}
    locked = app[PARTS].locked
    paths: dict[str, Schema] = {}
    for route in app.router.routes():
        path = route.resource.canonical if route.resource is not None else ""
        known = route.handler in OPERATIONS or route.handler is get_openapi
        if route.method != "HEAD" and (known or path.startswith(PREFIX)):
            described = _operation(route.handler, route.method, path, by_type, problem, of_body)
            described["security"] = [{"token": []}] if locked and path not in OPEN else []
            paths.setdefault(path, {})[route.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "exowatch", "version": __version__},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(handler: Any, method: str, path: str, by_type: Schema, problem: Schema, of_body: Mapping[str, Schema]) -> Schema:
    operation = OPERATIONS.get(handler) or Operation(
        None, content=("application/json",), tagged=True
    )  # of the description itself
    name = f"{handler.__name__}_{path.count('/')}" if handler is live.get_live else handler.__name__
    in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    schema = {} if operation.answer is None else by_type[repr(operation.answer)]
    content = {kind: {"schema": schema} for kind in operation.content or ("application/json",)}
    responses: Schema = {str(operation.status): {"description": "As asked", "content": content}}
    if operation.tagged:
        responses["200"]["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "To be sent as `If-None-Match`."}}
        responses["304"] = {"description": "It is as it was when it had the tag of `If-None-Match`."}
    responses["default"] = {"description": "What is wrong", "content": {"application/problem+json": {"schema": problem}}}
    described: Schema = {
        "operationId": name,
        "summary": (handler.__doc__ or "").split("\n")[0],
        "description": f"A token needs the scope `{scope_of(handler, method)}`." if path not in OPEN else "Open to all.",
        "parameters": [
            *({"name": one, "in": "path", "required": True, "schema": {"type": "string"}} for one in in_path),
            *(parameters.in_query(one, operation.cursor, operation.repeated.get(one)) for one in operation.parameters),
        ],
        "responses": responses,
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": of_body[operation.body]}}}
    return described


async def get_openapi(request: web.Request) -> web.Response:
    """The description itself."""
    return answer_one(request, describe(request.app))
