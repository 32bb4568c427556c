"""Server-sent events: mentions and alerts as they are stored, claims that were reviewed; for who asks, what else was changed.

The stream's signals say that something is new; what it is comes from the record. Each client reads the signals at its own pace
through a tail of its own, so nothing is buffered for it here: one that does not take what it is sent is dropped, comes back with
`Last-Event-ID`, and goes on from there. Signals are kept in a bounded number; who comes back too late for some is told so.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec
import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor import words
from monitor.api.parts import PARTS, Parts
from monitor.api.problems import Problem
from monitor.api.queries import ask
from monitor.ids import stored_id
from monitor.store import Filters, StoreUnavailable, alerts, claims, mentions
from monitor.stream import Signal, Stream
from monitor.times import rfc3339
from monitor.words import Alert, Claim, Mention

log = structlog.get_logger()

HEARTBEAT_S = 15.0
PATIENCE_S = 10.0  # how long a client may take to accept what it is sent
MAX_CLIENTS = 100
USUAL = ("mention", "alert", "claim")
CHANGES = {"handled": "alert", "delivery": "endpoint"}  # signals of what is no event by itself, and what their ids name
EVENTS = (*USUAL, "change")
OF_LIVE = ("type", "verdict", "stance", "source", "platform", "text", "claim", "watch")
_NOWHERE = "0-0"
_POSITION = re.compile(r"\d{1,15}-\d{1,15}")
CLIENTS = web.AppKey("live_clients", set[asyncio.Task[Any]])


async def get_live(request: web.Request) -> web.StreamResponse:
    """Events `mention`, `alert` and `claim`, the objects as the lists give them; `event=` and the filters choose among them.

    `change`, which has to be asked for, passes every filter: an alert was handled, or deliveries to an endpoint were tried.
    """
    filters, mine = ask(request, "event", "token", filters=OF_LIVE)
    wanted = mine.get("event") or list(USUAL)
    if unknown := [name for name in wanted if name not in EVENTS]:
        raise Problem(400, f"event {unknown[0][:64]!r} is not one of {', '.join(EVENTS)}")
    clients, task = request.app[CLIENTS], asyncio.current_task()
    if len(clients) >= MAX_CLIENTS or task is None:
        raise Problem(503, f"{MAX_CLIENTS} clients listen already; try again later", {"Retry-After": "30"})
    clients.add(task)
    try:
        return await _serve(request, filters, wanted)
    finally:
        clients.discard(task)


async def _serve(request: web.Request, filters: Filters, wanted: list[str]) -> web.StreamResponse:
    parts = request.app[PARTS]
    position, gap = await _start(parts.stream, request.headers.get("Last-Event-ID", ""))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    tail = parts.stream.signals(position)
    try:
        await _send(response, b"retry: 3000\n: listening\n" + _mark(position) + gap)
        async with aclosing(_with_heartbeats(tail, parts.closing)) as coming:
            async for signal in coming:
                if signal is None:
                    await _send(response, b":\n" + _mark(position))
                    continue
                position = signal.position
                data = await _event(parts, signal, filters, wanted)
                if data:
                    await _send(response, data)
    except TimeoutError:
        log.info("a slow listener was dropped", waited_s=PATIENCE_S)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass  # the client went away
    except StoreUnavailable as error:
        log.warning("a listener was dropped", error=str(error))  # it comes back and resumes
        if request.transport is not None:
            request.transport.abort()
    finally:
        await tail.aclose()  # its connection goes with it
    return response


async def _start(stream: Stream, last: str) -> tuple[str, bytes]:
    """Where to begin for a client whose last event was this one, and the event `gap` where some after it are no longer kept."""
    kept = await stream.signals_kept()  # before the headers go, so that nothing is missed after them
    end = kept[1] if kept else _NOWHERE
    if not _POSITION.fullmatch(last):
        return end, b""
    since = rfc3339(int(last.partition("-")[0]))
    gap = b"event: gap\ndata: %s\n\n" % words.encode({"since": since})
    if kept is None or _order(last) > _order(end):  # of another server, or of one that lost what it had
        return end, gap
    return last, gap if _order(last) < _order(kept[0]) else b""


def _order(position: str) -> tuple[int, ...]:
    return tuple(map(int, position.split("-")))


def _mark(position: str) -> bytes:
    """Tells the client how far it is, so that it comes back there although nothing of it was for this client; ends the block."""
    return b"\n" if position == _NOWHERE else b"id: %s\n\n" % position.encode()


async def _send(response: web.StreamResponse, data: bytes) -> None:
    await asyncio.wait_for(response.write(data), PATIENCE_S)


async def _with_heartbeats(tail: AsyncIterator[Signal], closing: asyncio.Event) -> AsyncGenerator[Signal | None]:
    """The signals, and None whenever HEARTBEAT_S passed without one; ends when the server closes."""
    end = asyncio.ensure_future(closing.wait())
    coming: asyncio.Future[Signal] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(tail))
            either: set[asyncio.Future[Any]] = {coming, end}
            await asyncio.wait(either, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                return
            if not coming.done():
                yield None
                continue
            try:
                signal = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield signal
    finally:
        for task in (end, coming):
            while task is not None and not task.done():
                task.cancel()  # once may not do: redis-py can swallow a cancellation while it connects
                await asyncio.wait({task}, timeout=0.1)


async def _event(parts: Parts, signal: Signal, filters: Filters, wanted: list[str]) -> bytes | None:
    """The event for a signal, or None where it is not wanted, does not pass the filters or is no longer there."""
    if signal.kind in CHANGES and "change" in wanted:
        return _written("change", signal, {"of": CHANGES[signal.kind], "id": signal.id})
    if signal.kind not in wanted:
        return None
    async with parts.database.read() as connection:
        found = await look_up(connection, signal, filters)
    return None if found is None else _written(signal.kind, signal, found)


def _written(event: str, signal: Signal, data: Any) -> bytes:
    return b"event: %s\nid: %s\ndata: %s\n\n" % (event.encode(), signal.position.encode(), words.encode(data))


async def look_up(connection: AsyncConnection, signal: Signal, filters: Filters) -> Mention | Alert | Claim | None:
    """What a signal speaks of, as the lists give it; None where it does not pass the filters or is no longer there."""
    if signal.kind == "claim":
        return await _claim(connection, signal.id, filters)
    return await _one(connection, signal.kind, signal.id, filters) if signal.kind in ("mention", "alert") else None


async def _claim(connection: AsyncConnection, claim_id: str, filters: Filters) -> Claim | None:
    """The claim if it passes the filters and was not merged into another."""
    if filters.claim and claim_id not in filters.claim:
        return None
    narrowed = msgspec.structs.replace(filters, claim=(claim_id,), limit=1)
    return next(iter((await claims.page(connection, narrowed)).items), None)


async def _one(connection: AsyncConnection, kind: str, name: str, filters: Filters) -> Mention | Alert | None:
    """The thing with this id if it passes the filters: a page of one that begins at it and looks no further back.

    Ids hold a time in milliseconds in their upper bits, so `since` ends the walk within that millisecond.
    """
    number = stored_id("m" if kind == "mention" else "a", name)
    if number is None:
        return None
    narrowed = msgspec.structs.replace(filters, since=number >> 21, cursor=(number + 1,), limit=1)
    items: list[Any]
    if kind == "mention":
        items = list((await mentions.page(connection, narrowed)).items)
    else:
        items = list((await alerts.page(connection, narrowed)).items)
    return next((item for item in items if stored_id(kind[0], item.id) == number), None)  # type: ignore[arg-type]


async def stop_listening(app: web.Application) -> None:
    """Ends all live connections, so that the server can close."""
    app[PARTS].closing.set()
