"""The callback of WebSub: hubs ask here whether a subscription is meant, and bring what is new in a feed.

Its address is the secret of one subscription. A body counts only with the hub's signature over it, is kept as it came, and is
read by the source's collector; nothing of it is looked at here.
"""

from __future__ import annotations

import hashlib
import hmac

import structlog
from aiohttp import web

from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.store import websub
from monitor.store.websub import Subscription
from monitor.stream import Signal, StreamUnavailable

PREFIX = "/websub/"
LEASE_S = 86_400  # of a hub that does not say how long
MAX_CHALLENGE = 4_000  # characters
BUSY_S = 60
# The methods of the recommendation. SHA-1 is all that some large hubs sign with, and sound in an HMAC.
_METHODS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
log = structlog.get_logger()


async def get_callback(request: web.Request) -> web.Response:
    """A hub's question whether a subscription, or its end, is meant; or its word that there will be none."""
    one = await _asked_for(request)
    mode, topic = request.query.get("hub.mode", ""), request.query.get("hub.topic", "")
    challenge = request.query.get("hub.challenge", "")
    database = request.app[PARTS].database
    leaving = one.state == "leaving"
    meant = {"subscribe": not leaving, "denied": not leaving, "unsubscribe": leaving}
    if topic != one.topic or not meant.get(mode, False):
        raise Problem(404, "this was not asked for")
    if mode == "denied":
        async with database.write() as connection:
            await websub.denied(connection, one)
        log.warning("a hub does not push", source=one.source, reason=request.query.get("hub.reason", "")[:200])
        return web.Response()
    if not 0 < len(challenge) <= MAX_CHALLENGE:
        raise Problem(400, "hub.challenge is missing or too long")
    async with database.write() as connection:
        if leaving:
            await websub.ended(connection, one)
        else:
            await websub.confirmed(connection, one, _lease(request.query.get("hub.lease_seconds", "")))
    log.info("a hub has confirmed", source=one.source, mode=mode)
    return web.Response(text=challenge, content_type="text/plain")


async def post_callback(request: web.Request) -> web.Response:
    """What is new in a feed. A body without a good signature is passed over, and the sender is not told so."""
    one = await _asked_for(request)
    if one.state == "leaving":
        raise Problem(410, "this subscription is over")
    body = await request.read()
    if not _signed(one.secret, request.headers.get("X-Hub-Signature", ""), body):
        log.warning("a push without the hub's signature was passed over", source=one.source)
        return web.Response(status=202)
    parts = request.app[PARTS]
    async with parts.database.write() as connection:
        kept = await websub.pushed(connection, one.source, request.headers.get("Content-Type", ""), body)
    if not kept:
        raise Problem(503, "too much of this feed waits to be read; send it later", {"Retry-After": str(BUSY_S)})
    try:
        await parts.stream.signal(Signal(kind="push", id=one.source))
    except StreamUnavailable:
        log.info("a push waits for the collector to look", source=one.source)
    return web.Response(status=202)


async def _asked_for(request: web.Request) -> Subscription:
    async with request.app[PARTS].database.read() as connection:
        one = await websub.find(connection, request.match_info["token"])
    if one is None:
        raise Problem(404, "there is no such subscription")
    return one


def _lease(text: str) -> float:
    """Seconds that the hub grants; LEASE_S where it does not say so."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else LEASE_S


def _signed(secret: str, header: str, body: bytes) -> bool:
    method, _, given = header.strip().partition("=")
    digest = _METHODS.get(method.strip().lower())
    if digest is None:
        return False
    wanted = hmac.new(secret.encode(), body, digest).hexdigest()
    return hmac.compare_digest(wanted.encode(), given.strip().lower().encode("utf-8", "surrogateescape"))
