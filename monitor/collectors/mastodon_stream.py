"""One hashtag of one Mastodon server, as it streams it: by server-sent events or by websocket, connected again and again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
import structlog

from monitor.collectors.base import SourceError
from monitor.collectors.http import USER_AGENT, Answer, place, rebased, refusal, unreachable
from monitor.collectors.mastodon_statuses import MOST_EVENT, BrokenError, EventReader, StreamEvent, message_of
from monitor.collectors.websocket import RefusedError, Sockets
from monitor.net import connector

SILENCE_S = 60.0  # servers send a heartbeat every fifteen seconds
OPEN_S = 30.0
RETRY_S = 1.0
LONGEST_RETRY_S = 300.0
_SCHEMES = {"ws": "http", "wss": "https"}
_log = structlog.get_logger()
Heard = tuple[str, StreamEvent]  # the server, and what it said


class TokenRefusedError(Exception):
    """A server does not take the access token."""


class HashtagStream:
    """One connection that is kept up. `base`: where the server streams, of the same host as the server or a public one."""

    def __init__(self, *, server: str, base: str, base_url: str | None, tag: str, token: str, transport: str) -> None:
        self._server = server
        self._private = base_url is not None or urlsplit(base).hostname == urlsplit(server).hostname
        self._url = rebased(f"{base}/api/v1/streaming", base_url)
        self._tag = tag
        self._headers = {"Authorization": f"Bearer {token}"}
        self._transport = transport

    async def run(self, heard: asyncio.Queue[Heard]) -> None:
        """Puts what is streamed into the queue, for ever. Raises TokenRefusedError; other trouble is waited out.

        What is missed meanwhile stands in the timeline, which is read all the same.
        """
        failures = 0
        while True:
            wait: float | None = None
            try:
                connection = self._socket() if self._transport == "websocket" else self._events()
                async with aclosing(connection) as events:
                    async for event in events:
                        failures = 0
                        if event is not None:
                            await heard.put((self._server, event))
            except SourceError as error:
                wait = error.retry_after
                _log.warning("hashtag not streamed, its timeline is read meanwhile", server=place(self._server), error=str(error))
            failures += 1
            backoff = min(RETRY_S * 2 ** min(failures - 1, 12), LONGEST_RETRY_S) * random.uniform(0.9, 1.1)
            await asyncio.sleep(max(backoff, wait or 0))

    async def _events(self) -> AsyncGenerator[StreamEvent | None, None]:
        """One connection by server-sent events; None at each sign of life. Raises SourceError, TokenRefusedError."""
        url = f"{self._url}/hashtag?{urlencode({'tag': self._tag})}"
        headers = self._headers | {"Accept": "text/event-stream", "User-Agent": USER_AGENT}
        session = aiohttp.ClientSession(
            connector=connector(allow_private=self._private),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=OPEN_S, sock_read=SILENCE_S),
        )
        reader = EventReader()
        try:
            async with session, session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status != 200 or response.content_type != "text/event-stream":
                    self._refused(response.status, response.headers)
                async for piece in response.content.iter_any():
                    for event in reader.feed(piece):
                        yield event
                    yield None
        except BrokenError:
            raise SourceError(f"{place(url)} streams what are no events") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise unreachable(url, error, SILENCE_S) from error

    async def _socket(self) -> AsyncGenerator[StreamEvent | None, None]:
        """One connection by websocket, as `_events`."""
        url = f"{self._url}?{urlencode({'stream': 'hashtag', 'tag': self._tag})}"
        sockets = Sockets(allow_private=self._private)
        try:
            socket = await sockets.connect(url, headers=self._headers, most=MOST_EVENT)
            while True:
                async with asyncio.timeout(SILENCE_S):
                    message = await socket.receive()
                if message.type is aiohttp.WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is aiohttp.WSMsgType.TEXT:
                    yield message_of(message.data)
                elif message.type is not aiohttp.WSMsgType.BINARY and message.type is not aiohttp.WSMsgType.PONG:
                    return
                yield None
        except RefusedError as error:
            self._refused(error.answer.status, error.answer.headers)
        except TimeoutError as error:
            raise unreachable(url, error, SILENCE_S) from error
        finally:
            await sockets.close()

    def _refused(self, status: int, headers: Mapping[str, str]) -> None:
        """Raises what a refusal means."""
        if status == 401:
            raise TokenRefusedError
        problem = refusal(Answer(status=status, headers=headers, body=b"", url=self._url))
        raise problem or SourceError(f"{place(self._url)} opens no stream (HTTP {status}); does it stream elsewhere?")


def streaming_base(server: str, told: object) -> str:
    """Where a server streams, by what its description says; where it says nothing of use, at the server itself.

    A server that is reached by https is not streamed from without it: the token would travel in the open.
    """
    try:
        parts = urlsplit(told if isinstance(told, str) else "")
        scheme, host = _SCHEMES.get(parts.scheme, parts.scheme), parts.hostname
    except ValueError:
        return server
    if scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return server
    if urlsplit(server).scheme == "https":
        scheme = "https"
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/").removesuffix("/api/v1/streaming"), "", ""))
