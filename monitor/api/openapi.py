"""The description of the API (OpenAPI 3.1), made from the routes and the types that they answer with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from monitor import __version__
from monitor.api import actions, lists, live, reasons
from monitor.api.queries import answer_one
from monitor.explain import Explanation
from monitor.store import dry_terms
from monitor.store.detail import ClaimDetail
from monitor.store.dry_run import DryRun
from monitor.store.filters import CLAIM_FILTER_NAMES, DEFAULT_LIMIT, FILTER_NAMES, MAX_LIMIT
from monitor.store.reviewing import ReviewRequest
from monitor.store.stats import BUCKET_SIZES, Stats
from monitor.words import (
    CLAIM_STATES,
    CLAIM_TYPES,
    DELIVERY_STATES,
    STANCES,
    VERDICTS,
    Alert,
    Claim,
    Delivery,
    EndpointStatus,
    Mention,
    Page,
    SourceStatus,
)

PREFIX = "/api/v1"


class PostIn(msgspec.Struct, omit_defaults=True):
    """A post as it is handed in; text is its title and body joined where it has both."""

    platform: str
    id: str | int
    text: str
    title: str | None = None
    url: str | None = None
    author: str | None = None
    created_at: str | float | None = None
    lang: str | None = None


class ProblemDetails(msgspec.Struct):
    """What every error looks like (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Operation(msgspec.Struct, frozen=True):
    """What a route answers with (None: server-sent events), and the parameters and body that it takes.

    `repeated` are parameters that mean something of their own here: what each may be, as often as wanted.
    """

    answer: Any
    parameters: tuple[str, ...] = ()
    status: int = 200
    body: Any = None
    repeated: Mapping[str, tuple[str, ...]] = {}


OPERATIONS: dict[Handler, Operation] = {
    lists.get_mentions: Operation(Page[Mention], FILTER_NAMES),
    lists.get_mention: Operation(Mention),
    reasons.get_explanation: Operation(Explanation),
    lists.get_claims: Operation(Page[Claim], CLAIM_FILTER_NAMES, repeated={"state": CLAIM_STATES}),
    lists.get_claim: Operation(ClaimDetail, FILTER_NAMES),
    lists.get_alerts: Operation(Page[Alert], FILTER_NAMES),
    reasons.get_dry_run: Operation(DryRun, dry_terms.NAMES),
    lists.get_sources: Operation(Page[SourceStatus], FILTER_NAMES),
    lists.get_endpoints: Operation(Page[EndpointStatus]),
    lists.get_deliveries: Operation(Page[Delivery], ("endpoint", "state", *FILTER_NAMES)),
    lists.get_stats: Operation(Stats, ("bucket", *lists.OF_STATS)),
    actions.post_mentions: Operation(actions.Taken, status=202, body=PostIn | list[PostIn]),
    actions.post_review: Operation(ClaimDetail, body=ReviewRequest),
    actions.post_endpoint_test: Operation(Delivery, status=202),
    actions.post_redeliver: Operation(Delivery, status=202),
    live.get_live: Operation(None, ("event", *live.OF_LIVE)),
}

_CHOICES: dict[str, tuple[str, ...]] = {
    "type": CLAIM_TYPES,
    "verdict": VERDICTS,
    "stance": STANCES,
    "bucket": BUCKET_SIZES,
    "state": DELIVERY_STATES,
    "event": live.EVENTS,
    "events": dry_terms.CHOICES["events"],
    "types": dry_terms.CHOICES["types"],
    "verdicts": dry_terms.CHOICES["verdicts"],
}
_ONCE = ("since", "until", "limit", "cursor", "bucket", "state", "endpoint", "min_confidence", "endpoint_min_confidence")
_EXPLAINED = {
    "since": "Heard since: a duration back from now (`24h`) or a time.",
    "until": "Heard before: a duration back from now or a time.",
    "text": 'All words, case and accents folded; `"a phrase"`; `prefix*`.',
    "claim": "Id of a claim.",
    "watch": "Name on the watchlist.",
    "cursor": "`next` of the page before.",
    "min_confidence": "Another `alerts.min_confidence`.",
    "endpoint_min_confidence": "Another `min_confidence` of the endpoint.",
}


def describe(app: web.Application) -> dict[str, Any]:
    """The description of the routes of this application that lie under PREFIX."""
    types = [one for op in OPERATIONS.values() for one in (op.answer, op.body) if one is not None]
    schemas, components = msgspec.json.schema_components([*types, ProblemDetails], ref_template="#/components/schemas/{name}")
    by_type = dict(zip(map(repr, types), schemas, strict=False))
    paths: dict[str, dict[str, Any]] = {}
    for route in app.router.routes():
        path = route.resource.canonical if route.resource is not None else ""
        if not path.startswith(PREFIX) or route.method == "HEAD" or route.handler is get_openapi:
            continue
        described = _operation(route.handler, path, by_type, schemas[-1])
        paths.setdefault(path, {})[route.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "exowatch", "version": __version__},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _operation(handler: Handler, path: str, by_type: dict[str, Any], problem: Any) -> dict[str, Any]:
    operation = OPERATIONS[handler]
    in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    if operation.answer is None:
        content: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}
    else:
        content = {"application/json": {"schema": by_type[repr(operation.answer)]}}
    described: dict[str, Any] = {
        "operationId": handler.__name__,
        "summary": (handler.__doc__ or "").split("\n")[0],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path),
            *(_parameter(name, operation.repeated.get(name)) for name in operation.parameters),
        ],
        "responses": {
            str(operation.status): {"description": "As asked", "content": content},
            "default": {"description": "What is wrong", "content": {"application/problem+json": {"schema": problem}}},
        },
    }
    if operation.body is not None:
        content = {"application/json": {"schema": by_type[repr(operation.body)]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameter(name: str, repeated: tuple[str, ...] | None) -> dict[str, Any]:
    one: dict[str, Any] = {"type": "string"}
    if choices := repeated or _CHOICES.get(name):
        one["enum"] = list(choices)
    if name == "limit":
        one = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    if name.endswith("min_confidence"):
        one = {"type": "number", "minimum": 0, "maximum": 1}
    schema = one if name in _ONCE and not repeated else {"type": "array", "items": one}
    explained = {"description": _EXPLAINED[name]} if name in _EXPLAINED else {}
    return {"name": name, "in": "query", "required": False, "schema": schema, **explained}


async def get_openapi(request: web.Request) -> web.Response:
    """The description itself."""
    return answer_one(request, describe(request.app))
