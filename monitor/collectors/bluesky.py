"""Bluesky by Jetstream: every public post of the network as it is made, edited and deleted.

The cursor is Jetstream's number of the last event and its time. The number is exact, and good at the one server that gave it; the
time is good everywhere. So a connection goes on by number where it can, checks that it was put at the right place, and else goes
back by time, a little further than it got, and notes a gap where the server does not go back so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal
from urllib.parse import urlencode

import aiohttp
import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Kind, SourceError
from monitor.collectors.bluesky_frames import POSTS
from monitor.collectors.bluesky_reading import MOST_FRAME, Cursor, ElsewhereError, Order, Reading
from monitor.collectors.bluesky_zstd import Unpacker
from monitor.collectors.budget import Budgets
from monitor.collectors.feed import read_cursor
from monitor.collectors.http import Fetcher, place, refusal
from monitor.collectors.websocket import RefusedError, Sockets
from monitor.settings.sources.bluesky import BlueskySource

HOSTS = {
    "v2": ("https://jetstream.us-east.bsky.network", "https://jetstream.us-west.bsky.network"),
    "v1": ("https://jetstream1.us-east.bsky.network", "https://jetstream1.us-west.bsky.network"),
}
_V2 = "/xrpc/network.bsky.jetstream.subscribeEvents"
_DICTIONARY = "/xrpc/network.bsky.jetstream.getZstdDictionary"
STALL_S = 60.0  # the server pings every thirty seconds
REWIND_US = 5_000_000  # how far back by time a connection starts
LINGER_S = 0.05  # that a batch waits to be fuller
_log = structlog.get_logger()
Way = Literal["number", "time", "now"]


class BlueskyCollector:
    """A source of kind `bluesky`."""

    def __init__(self, source: BlueskySource, _: Budgets, *, stall_s: float = STALL_S) -> None:
        self.stall_s = stall_s
        self._source = source
        self._hosts = (source.base_url,) if source.base_url else source.hosts or HOSTS[source.protocol]
        self._turn = 0  # of the hosts: another one's after a connection that brought nothing
        self._sockets = Sockets()
        self._fetcher = Fetcher()
        self._unpackers: dict[str, Unpacker | None] = {}  # None: this host gives no dictionary
        self._limited = False  # a frame was too long: the server is asked to leave such ones out
        self._order = Order()

    async def stream(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """One connection; see `Streamer.stream`."""
        since = read_cursor(cursor, Cursor)
        host = self._hosts[self._turn % len(self._hosts)]
        self._turn += 1
        way: Way = "now" if not since.us else "number" if since.host == host and since.seq is not None else "time"
        while True:
            try:
                async with aclosing(self._connection(host, since, way)) as batches:
                    async for batch in batches:
                        yield batch
                return
            except ElsewhereError:
                _log.info("jetstream counts anew, going back by time", source=self._source.name, host=place(host))
                way = "time"

    async def close(self) -> None:
        """Closes the connections."""
        await self._sockets.close()
        await self._fetcher.close()

    async def _connection(self, host: str, since: Cursor, way: Way) -> AsyncGenerator[Batch, None]:
        socket, unpacker = await self._connect(host, since, way)
        reading = Reading(
            source=self._source.name, host=host, since=since, by_number=way == "number", unpacker=unpacker, order=self._order
        )
        loop = asyncio.get_running_loop()
        well = False
        try:
            while True:
                ended = False
                try:
                    async with asyncio.timeout(None) as lingering:
                        while not reading.full:
                            message = await socket.receive()
                            if message.type is aiohttp.WSMsgType.PING:
                                await socket.pong(message.data)
                            ended = reading.take(message)
                            if ended:
                                break
                            if lingering.when() is None and reading.begun:
                                lingering.reschedule(loop.time() + LINGER_S)
                except TimeoutError:
                    pass
                if not well and reading.begun:
                    self._turn, well = self._turn - 1, True
                if reading.begun:
                    yield reading.batch()
                if ended:
                    self._limited = self._limited or socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
                    if reading.fatal:
                        raise SourceError(f"{place(host)} ended the stream: {reading.fatal}; it is taken up where it ended")
                    return
        finally:
            await socket.close()

    async def _connect(self, host: str, since: Cursor, way: Way) -> tuple[aiohttp.ClientWebSocketResponse, Unpacker | None]:
        """An open stream from the cursor on. Raises SourceError, and ElsewhereError where the number is too old here."""
        unpacker = await self._unpacker(host)
        for _ in range(3):
            url = self._address(host, since, way, unpacker)
            try:
                return await self._sockets.connect(url, most=MOST_FRAME), unpacker
            except RefusedError as refused:
                error = _error_of(refused.answer.body)
                if error == "CursorTooOld" and way == "number":
                    raise ElsewhereError from None
                if error == "UnknownZstdDictionary" and unpacker is not None:  # retired: the present one, or else none
                    known = self._unpackers.pop(host, None)
                    unpacker = await self._unpacker(host)
                    if known is not None and unpacker is not None and unpacker.id == known.id:
                        self._unpackers[host] = unpacker = None
                    continue
                problem = refusal(refused.answer)
                if refused.answer.status == 404 and self._source.protocol == "v2":
                    problem = SourceError(f'{place(host)} does not speak Jetstream\'s protocol v2; set protocol = "v1"')
                said = f" ({error})" if error else ""
                raise SourceError(
                    f"{problem or f'{place(host)} opens no stream (HTTP {refused.answer.status})'}{said}",
                    retry_after=problem.retry_after if problem else None,
                ) from None
        raise SourceError(f"{place(host)} refuses every dictionary that it gives out; set compress = false")

    def _address(self, host: str, since: Cursor, way: Way, unpacker: Unpacker | None) -> str:
        # Of all kinds of event: `kinds=commit` would leave out that accounts are deleted.
        v2 = self._source.protocol == "v2"
        query: dict[str, str | int] = {"collections" if v2 else "wantedCollections": POSTS}
        if way == "number" and since.seq is not None:
            query["cursor"] = since.seq
        elif way == "time":
            query["cursor"] = max(1, since.us - REWIND_US)
        if unpacker is not None:
            query["zstdDictionary"] = unpacker.id
        if self._limited:
            query["maxMessageSizeBytes"] = MOST_FRAME
        return f"{host}{_V2 if v2 else '/subscribe'}?{urlencode(query)}"

    async def _unpacker(self, host: str) -> Unpacker | None:
        """What unpacks this host's frames; None where they are to come as they are."""
        if not self._source.compress or self._source.protocol == "v1":  # the dictionary of v1 is nowhere to be had
            return None
        if host not in self._unpackers:
            try:
                answer = await self._fetcher.get(host + _DICTIONARY)
                if problem := refusal(answer):
                    raise problem
                self._unpackers[host] = Unpacker(answer.body)
            except (SourceError, ValueError, MemoryError) as error:
                _log.warning("no dictionary, so frames come as they are", source=self._source.name, error=str(error))
                return None
        return self._unpackers[host]


def _error_of(body: bytes) -> str:
    """The name of the error in a refusal of XRPC's; empty where there is none."""
    try:
        name = msgspec.json.decode(body, type=dict[str, object]).get("error")
    except (ValueError, RecursionError):
        return ""
    return name if isinstance(name, str) and name.isalnum() and name.isascii() and len(name) <= 40 else ""


def _access(_: BlueskySource) -> Access:
    return Access(works="every public post as it is made, edited or deleted")


KIND = Kind(open=BlueskyCollector, access=_access)
