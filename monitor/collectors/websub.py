"""The collectors' side of WebSub: asks the hubs of feeds for subscriptions, renews them in time, and gives them up.

What is wanted stands in the store (`monitor.store.websub`); the callback that hubs answer to belongs to the API.
One job serves all sources. A hub that does not answer, refuses or falls silent costs nothing: feeds are polled all the same.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection
from urllib.parse import urlencode, urljoin

import structlog

from monitor.collectors.base import Hub, SourceError
from monitor.collectors.http import Answer, Fetcher, refusal
from monitor.pause import pause
from monitor.store import Database, StoreUnavailable, websub
from monitor.store.websub import Subscription

LOOK_EVERY_S = 5.0
TIDY_EVERY_S = 3600.0
LEASE_S = 10 * 86_400  # asked for; the hub decides
MAX_REDIRECTS = 3
MAX_ANSWER = 64 * 1024
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
log = structlog.get_logger()


async def note_hub(database: Database, source: str, hub: Hub | None, public_url: str) -> None:
    """Writes down which hub the source is to be subscribed at; None: at none. Raises StoreUnavailable."""
    async with database.write() as connection:
        if hub is None:
            await websub.leave(connection, source)
        else:
            await websub.want(connection, source, hub.url, hub.topic, public_url, private=hub.private)


async def keep_subscribed(database: Database, sources: Collection[str], stop: asyncio.Event) -> None:
    """Asks hubs whenever it is time, until told to stop. The subscriptions of sources other than these are given up."""
    fetcher = Fetcher(max_body=MAX_ANSWER)
    tidied = -math.inf
    try:
        while not stop.is_set():
            try:
                if time.monotonic() - tidied >= TIDY_EVERY_S:
                    async with database.write() as connection:
                        await websub.leave_others(connection, sources)
                        await websub.forget_unread(connection)
                    tidied = time.monotonic()
                async with database.read() as connection:
                    waiting = await websub.due(connection)
                for one in waiting:
                    if not stop.is_set():
                        await _ask(database, fetcher, one)
            except StoreUnavailable as error:
                log.warning("subscriptions at hubs wait for the database", error=str(error))
            await pause(stop, LOOK_EVERY_S)
    finally:
        await fetcher.close()


async def _ask(database: Database, fetcher: Fetcher, one: Subscription) -> None:
    """Asks the hub of one subscription; what it decides it tells the callback."""
    async with database.write() as connection:
        if not await websub.asking(connection, one):
            return
    mode = "unsubscribe" if one.state == "leaving" else "subscribe"
    form = {"hub.mode": mode, "hub.topic": one.topic, "hub.callback": one.callback}
    if mode == "subscribe":
        form |= {"hub.secret": one.secret, "hub.lease_seconds": str(LEASE_S)}
    try:
        answer = await _post(fetcher, one, urlencode(form).encode())
        problem = refusal(answer)
    except SourceError as error:
        problem = error
    if problem is None:
        log.info("a hub was asked", source=one.source, mode=mode)
        return
    log.warning("a hub did not take the request, the feed is polled as before", source=one.source, mode=mode, error=str(problem))
    if problem.retry_after is not None:
        async with database.write() as connection:
            await websub.ask_later(connection, one.token, problem.retry_after)


async def _post(fetcher: Fetcher, one: Subscription, body: bytes) -> Answer:
    """The hub's answer. It may send on to another address, as the recommendation says. Raises SourceError."""
    address = one.hub
    for _ in range(MAX_REDIRECTS):
        answer = await fetcher.post(address, body, _FORM, private=one.private)
        location = answer.headers.get("Location")
        if answer.status not in (307, 308) or not location:
            return answer
        address = urljoin(address, location)
    raise SourceError("the hub sends on and on to other addresses")
