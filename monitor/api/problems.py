"""Errors as problem details (RFC 9457), whatever raised them; nothing of the program's inside in any."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from monitor import tracing, words
from monitor.store import FilterError, StoreUnavailable
from monitor.stream import StreamUnavailable

log = structlog.get_logger()

_DETAILS = {
    404: "there is nothing at this address",
    413: "the body is larger than 5 MB; send fewer posts at once",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An answer that is an error. `detail` is one sentence for whoever asked; `more` are further members of the problem."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
) -> web.Response:
    """The answer that says what is wrong."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **(more or {})}
    return web.Response(status=status, body=words.encode(body), content_type="application/problem+json", headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every error into a problem."""
    try:
        return await _with_known_errors(request, handler)
    except (StoreUnavailable, StreamUnavailable) as error:
        which = "database" if isinstance(error, StoreUnavailable) else "stream"
        log.warning(f"the {which} is not available", error=str(error), path=_route(request))
        return problem(503, f"the {which} cannot be reached at the moment; try again", {"Retry-After": "5"})
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_aiohttp(error)
    except ConnectionError:
        raise  # the client went away; there is nobody to tell
    except Exception:
        log.exception("a request failed", method=request.method, path=_route(request))
        return problem(500, "something went wrong inside; the log of the daemon says what")


@web.middleware
async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A span for each request, by the form of its address: what stands in one may be anything."""
    if not tracing.on():
        return await handler(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "nothing here"
    method = request.method if request.method in _METHODS else "another method"
    with tracing.span(f"{method} {route}", kind="server", method=method, route=route) as span:
        response = await handler(request)
        span.set(status=response.status)
        return response


def _route(request: web.Request) -> str:
    """Where a request went, as the log may say it: some addresses hold what opens them."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else request.path


async def _with_known_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer, also where what was asked cannot be answered: errors that are the asker's."""
    try:
        return await handler(request)
    except Problem as error:
        return problem(error.status, error.detail, error.headers, error.more)
    except FilterError as error:
        return problem(400, str(error))
    except web.RequestPayloadError:
        return problem(400, "the body cannot be read: it is not encoded as its headers say")


def _of_aiohttp(error: web.HTTPException) -> web.Response:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem(405, f"{error.method} is not possible here; {allowed} is", {"Allow": allowed})
    return problem(error.status, _DETAILS.get(error.status, error.reason))
