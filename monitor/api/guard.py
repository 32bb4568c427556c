"""Who may ask: the token rule, the Host and Origin checks, and the headers that every answer carries.

Without a token only this machine can reach the daemon. A page of another site, open in a browser here, could still send requests:
under a name of its own that resolves to 127.0.0.1 (DNS rebinding; the Host header gives it away) or across origins (the Origin
header does).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.words import now_ms

COOKIE = "exowatch_login"
LOGIN_DAYS = 30
_OPEN = frozenset({"/healthz", "/readyz", "/login"})
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
    """Refuses requests that come by a foreign name, from a foreign page, or without the token where one is set."""
    token = request.app[PARTS].token
    if (request.content_length or 0) > request.client_max_size:  # at once, and not when so much has come
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length or 0)
    if not token and not request.path.startswith(_CALLBACKS):
        _check_host(request)
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        _check_origin(request)
    if token and not _is_open(request) and not _may(request, token):
        raise Problem(401, "this daemon wants its token: send it as `Authorization: Bearer`, or log in at /login", _WANTED)
    return await handler(request)


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer."""
    headers = response.headers
    headers["Server"] = "exowatch"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if response.content_type == "text/html":
        headers["Content-Security-Policy"] = _CONTENT_POLICY
        headers["X-Frame-Options"] = "DENY"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers.setdefault("Cache-Control", "no-store")  # posts get deleted; no copy of one stays behind in a cache


def same(given: str, wanted: str) -> bool:
    """Whether two texts are the same, in a time that tells nothing about either."""
    digests = (hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, wanted))
    return hmac.compare_digest(*digests)


def login_cookie(token: str, until_ms: int) -> str:
    """What a browser shows instead of the token: when it ends, and a signature over that which only the token can make."""
    return f"{until_ms}.{_signature(token, str(until_ms))}"


def _signature(token: str, until: str) -> str:
    return hmac.new(
        token.encode(), f"exowatch login until {until}".encode("utf-8", "surrogateescape"), hashlib.sha256
    ).hexdigest()


def _is_open(request: web.Request) -> bool:
    return request.path in _OPEN or request.path.startswith((_OPEN_FOLDER, _CALLBACKS))


def _may(request: web.Request, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(given.strip(), token):
        return True
    until, _, signature = request.cookies.get(COOKIE, "").partition(".")
    if same(signature, _signature(token, until)) and until.isdigit() and int(until) > now_ms():
        return True
    in_query = request.query.get("token") if request.path in _TOKEN_IN_QUERY and request.method in ("GET", "HEAD") else None
    return in_query is not None and same(in_query, token)


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
