"""Who may ask: the token rule, the Host and Origin checks, and the headers that every answer carries.

Without a token only this machine can reach the daemon. A page of another site, open in a browser here, could still send requests:
under a name of its own that resolves to 127.0.0.1 (DNS rebinding; the Host header gives it away) or across origins (the Origin
header does).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.api.access import BUDGET, CALLER, Access, Caller, scope_of
from monitor.api.problems import Problem

ACCESS = web.AppKey("access", Access)
COOKIE = "exowatch_login"
_LEAVE = "/logout"  # which anybody may who came in
OPEN = frozenset({"/healthz", "/readyz", "/login"})
_OPEN_FOLDER = "/static/"  # the program's own style and script, which the form to log in needs
_CALLBACKS = "/websub/"  # for hubs, which know neither token nor loopback names; each address is a secret of its own
_TOKEN_IN_QUERY = frozenset({"/live", "/api/v1/live", "/alerts.atom"})
_WANTED = {"WWW-Authenticate": 'Bearer realm="exowatch"'}
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses requests that come by a foreign name, from a foreign page, or without a token that may do it where one is set."""
    access = request.app[ACCESS]
    if (request.content_length or 0) > request.client_max_size:  # at once, and not when so much has come
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length or 0)
    if not access.locked and not request.path.startswith(_CALLBACKS):
        _check_host(request)
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        _check_origin(request)
    if access.locked and not _is_open(request):
        _admit(request, access)
    return await handler(request)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer."""
    headers = response.headers
    budget = request.get(BUDGET)
    headers.update(budget.headers if budget is not None else {})
    headers["Server"] = "exowatch"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if response.content_type == "text/html":
        # Other sites are told nothing either; with no-referrer a browser sends our own forms as from nowhere (`Origin: null`).
        headers["Referrer-Policy"] = "same-origin"
        headers["Content-Security-Policy"] = _CONTENT_POLICY
        headers["X-Frame-Options"] = "DENY"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.path.startswith(_OPEN_FOLDER) and response.status in (200, 304):
        headers.setdefault("Cache-Control", "no-cache")  # by the tag of each file a browser learns whether it is still the same
    headers.setdefault("Cache-Control", "no-store")  # posts get deleted; no copy of one stays behind in a cache


def may_read(request: web.Request) -> bool:
    """Whether whoever asks may read what the API has, on a route that answers to everybody."""
    access = request.app[ACCESS]
    if not access.locked:
        return True
    caller = _caller(request, access)
    return caller is not None and "read" in caller.scopes


def _is_open(request: web.Request) -> bool:
    return request.path in OPEN or request.path.startswith((_OPEN_FOLDER, _CALLBACKS))


def _caller(request: web.Request, access: Access) -> Caller | None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and (caller := access.by_token(given.strip())):
        return caller
    if caller := access.by_cookie(request.cookies.get(COOKIE, "")):
        return caller
    in_query = request.query.get("token") if request.path in _TOKEN_IN_QUERY and request.method in ("GET", "HEAD") else None
    return None if in_query is None else access.by_token(in_query)


def _admit(request: web.Request, access: Access) -> None:
    """Lets a caller in who shows a token, may do this, and does not ask too often. Raises Problem."""
    caller = _caller(request, access)
    if caller is None:
        raise Problem(401, "this daemon wants its token: send it as `Authorization: Bearer`, or log in at /login", _WANTED)
    request[CALLER] = caller
    budget = access.spend(caller)
    if budget is not None:
        request[BUDGET] = budget
        if budget.wait_s:
            raise Problem(429, f"more than {budget.limit} requests a minute with this token; wait as Retry-After says")
    route = request.match_info
    wanted = scope_of(route.handler, request.method)
    if route.http_exception is None and request.path != _LEAVE and wanted not in caller.scopes:
        raise Problem(403, f'this needs a token with the scope "{wanted}"; the token {caller.name} has not got it')


def _check_host(request: web.Request) -> None:
    host = request.headers.get("Host")
    if host is None:  # no browser leaves it out
        return
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = ""
    if name.lower().rstrip(".") != "localhost" and not _is_loopback(name):
        raise Problem(403, "this daemon answers only to 127.0.0.1 and localhost; set api.token to reach it by another name")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
    if origin is not None:
        try:
            foreign = foreign or urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()
        except ValueError:
            foreign = True
    if foreign:
        raise Problem(403, "this request comes from a page of another site; such requests are not taken")
