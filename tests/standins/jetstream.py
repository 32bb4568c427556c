"""A Jetstream: a log of events on a free port, in both protocols, with scripted faults in between."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import json
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Self

import zstandard
from aiohttp import WSMsgType, web

POSTS = "app.bsky.feed.post"
START_US = 1_790_000_000_000_000
LOOKBACK_US = 36 * 3600 * 1_000_000
DICTIONARY_ID = 20260811
V2 = "/xrpc/network.bsky.jetstream.subscribeEvents"
DICTIONARY = "/xrpc/network.bsky.jetstream.getZstdDictionary"
Event = dict[str, Any]  # as the first protocol has it, with `seq`
Fault = Callable[[web.WebSocketResponse], Awaitable[None]]


@functools.cache
def train(seed: int = 1, dictionary_id: int = DICTIONARY_ID) -> zstandard.ZstdCompressionDict:
    """A dictionary such as servers give out."""
    dice = random.Random(seed)
    words = "so a glow of skin and some serum that my nurse said was new or old this week".split()  # noqa: SIM905
    samples = [json.dumps(commit(f"did:plc:{n:024x}", str(n), " ".join(dice.choices(words, k=25)))).encode() for n in range(800)]
    return zstandard.train_dictionary(8_192, samples, dict_id=dictionary_id)


def commit(did: str, rkey: str, text: str | None = None, operation: str = "create", **record: Any) -> Event:
    """A post made or edited (with text), or deleted (without)."""
    made: Event = {"operation": operation if text is not None else "delete", "collection": POSTS, "rkey": rkey}
    if text is not None:
        made["record"] = {"$type": POSTS, "text": text, "langs": ["en"]} | record
        made["cid"] = "bafyreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4i"
    return {"did": did, "kind": "commit", "commit": made}


def account(did: str, status: str | None, *, active: bool = False) -> Event:
    """An account that is no longer what it was."""
    return {
        "did": did,
        "kind": "account",
        "account": {"active": active, "did": did, "seq": 7} | ({"status": status} if status else {}),
    }


class Jetstream:
    """`async with` it. `origin` is its address, `asked` the query of every connection, `events` the log.

    `faults` holds, by the number of a connection (from 0), what to do after so many frames: `(frames, fault)`. `refusals` are
    sent to the next handshakes. `first_seq` makes another instance of it: the same events under other numbers.
    """

    def __init__(self, *, first_seq: int = 1_000, floor_us: int = 0, old: bool = False) -> None:
        self.events: list[Event] = []
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.origin = ""
        self.first_seq = first_seq
        self.floor_us = floor_us  # nothing older is kept
        self.faults: dict[int, tuple[int, Fault]] = {}
        self.refusals: deque[tuple[int, bytes, dict[str, str]]] = deque()
        self.dictionary: bytes | None = train().as_bytes()
        self.frames_sent = 0
        self.pings_s: float | None = None
        self._old = old
        self._more = asyncio.Condition()
        self._time = START_US

    def add(self, *events: Event, after_s: float = 1.0) -> None:
        """Puts events into the log, each so long after the one before."""
        for event in events:
            self._time += round(after_s * 1_000_000)
            rev = f"3m{self._time // 1000:x}"
            made = {"time_us": self._time} | event
            if "commit" in made:
                made["commit"] = {"rev": rev} | made["commit"]
            self.events.append(made)

    async def say(self, *events: Event, after_s: float = 1.0) -> None:
        """As `add`, and whoever listens hears it."""
        self.add(*events, after_s=after_s)
        async with self._more:
            self._more.notify_all()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get(V2, self._subscribe)
        app.router.add_get("/subscribe", self._subscribe)
        app.router.add_get(DICTIONARY, self._dictionary)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _dictionary(self, _: web.Request) -> web.Response:
        if self.dictionary is None or self._old:
            return web.json_response({"error": "DictionaryNotFound", "message": "none"}, status=404)
        return web.Response(body=self.dictionary, content_type="application/octet-stream")

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        query, v2 = dict(request.query), request.path == V2
        number = len(self.asked)
        self.asked.append(query)
        self.paths.append(request.path)
        if self.refusals:
            status, body, headers = self.refusals.popleft()
            return web.Response(status=status, body=body, headers=headers)
        if v2 and self._old:
            raise web.HTTPNotFound
        refused = self._refused(query, v2, request)
        if refused is not None:
            return refused
        at, info = self._start(query, v2)
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        with contextlib.suppress(ConnectionError):
            await self._play(socket, at, info, number, query, v2)
        return socket

    def _refused(self, query: dict[str, str], v2: bool, request: web.Request) -> web.Response | None:
        """What the handshake is refused for, as the lexicon has it."""

        def no(error: str, message: str) -> web.Response:
            return web.json_response({"error": error, "message": message}, status=400)

        if "permessage-deflate" in request.headers.get("Sec-WebSocket-Extensions", ""):
            return no("InvalidRequest", "deflate and a dictionary exclude each other")
        if v2 and set(query) - {"cursor", "kinds", "dids", "collections", "zstdDictionary", "maxMessageSizeBytes"}:
            return no("InvalidRequest", f"unknown parameters among {sorted(query)}")
        if v2 and query.get("kinds"):
            return no("InvalidRequest", "these tests want every kind")
        known = zstandard.ZstdCompressionDict(self.dictionary).dict_id() if self.dictionary else 0
        if v2 and query.get("zstdDictionary", str(known)) != str(known):
            return no("UnknownZstdDictionary", f"the current one is {known}")
        cursor = int(query.get("cursor", 0))
        if (
            v2
            and 0 < cursor < 10**15
            and any(event["time_us"] < self.floor_us for event in self.events[: cursor - self.first_seq + 1])
        ):
            return no("CursorTooOld", f"cursor {cursor} is below the retention floor")
        return None

    def _start(self, query: dict[str, str], v2: bool) -> tuple[int, str | None]:
        """The place in the log to begin at, and what is said of it first."""
        cursor = int(query.get("cursor", 0))
        kept = next((n for n, event in enumerate(self.events) if event["time_us"] >= self.floor_us), len(self.events))
        if not cursor:
            return len(self.events), None
        if cursor < 10**15:
            at = cursor - self.first_seq
            return (len(self.events), "FutureCursor") if at > len(self.events) else (max(at, kept), None)
        at = next((n for n, event in enumerate(self.events) if event["time_us"] >= cursor), len(self.events))
        return max(at, kept), "OutdatedCursor" if v2 and cursor < self.floor_us else None

    async def _play(
        self, socket: web.WebSocketResponse, at: int, info: str | None, number: int, query: dict[str, str], v2: bool
    ) -> None:
        packer = None
        if "zstdDictionary" in query:
            given = zstandard.ZstdCompressionDict(self.dictionary or b"")
            packer = zstandard.ZstdCompressor(dict_data=given, write_content_size=False)

        async def send(frame: bytes) -> None:
            if packer is None:
                await socket.send_str(frame.decode())
            else:
                await socket.send_bytes(packer.compress(frame))
            self.frames_sent += 1

        if info is not None and v2:
            payload = {"$type": "network.bsky.jetstream.subscribeEvents#info", "name": info, "message": "see the lexicon"}
            await send(json.dumps({"$type": "message", "payload": payload}).encode())
        sent = 0
        reading = asyncio.create_task(_until_spoken(socket))
        try:
            while not socket.closed:
                fault = self.faults.get(number)
                if fault is not None and sent == fault[0]:
                    await fault[1](socket)
                    if socket.closed:
                        return
                    self.faults.pop(number)
                if at < len(self.events):
                    await send(self.frame(at, v2))
                    at, sent = at + 1, sent + 1
                else:
                    await self._wait(socket, reading, at)
                if reading.done():
                    return
        finally:
            reading.cancel()

    async def _wait(self, socket: web.WebSocketResponse, reading: asyncio.Task[Any], at: int) -> None:
        async def more() -> None:
            async with self._more:
                await self._more.wait_for(lambda: len(self.events) > at)

        waiting = asyncio.create_task(more())
        await asyncio.wait({waiting, reading}, timeout=self.pings_s, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            if self.pings_s is not None and not reading.done():
                await socket.ping()

    def frame(self, at: int, v2: bool) -> bytes:
        """An event of the log, as the protocol has it."""
        event = self.events[at]
        raw = event.get("raw")
        if raw is not None:
            return raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        if not v2:
            return json.dumps(event).encode()
        kind = event["kind"]
        time = dt.datetime.fromtimestamp(event["time_us"] / 1e6, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        payload = {
            "$type": f"network.bsky.jetstream.subscribeEvents#{kind}",
            "seq": self.first_seq + at,
            "did": event["did"],
            "time": time,
            "witnessedAt": time,
        }
        payload |= event["commit"] if kind == "commit" else {kind: event.get(kind, {})}
        return json.dumps({"$type": "message", "payload": payload}).encode()


async def _until_spoken(socket: web.WebSocketResponse) -> None:
    """Until the client closes, or says anything but pongs, which ends the connection too."""
    while (await socket.receive()).type is WSMsgType.PONG:
        pass


async def cut(socket: web.WebSocketResponse) -> None:
    """The connection is gone without a word (1006)."""
    transport = socket._req.transport  # type: ignore[union-attr]
    assert transport is not None
    transport.abort()
    await asyncio.sleep(0)
    raise ConnectionError


def ends_with(error: str) -> Fault:
    """An error frame, and the end."""

    async def end(socket: web.WebSocketResponse) -> None:
        await socket.send_str(json.dumps({"$type": "error", "error": error, "message": "reader below floor rate"}))
        await socket.close()

    return end
