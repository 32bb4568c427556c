"""Websockets of sources: one handshake without redirects, whose refusal can be read.

A source's own address is the operator's choice and may be private; since no redirect is followed, nobody else can choose one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

import aiohttp

from monitor.collectors.http import USER_AGENT, Answer, unreachable
from monitor.net import connector

HANDSHAKE_S = 30.0
CLOSE_S = 1.0  # that a peer gets to say goodbye too
_MOST_OF_A_REFUSAL = 4_096  # bytes


class RefusedError(Exception):
    """The server answered the handshake with something else; `answer` is what it said, cut after four kilobytes."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


class _Handshake(aiohttp.ClientResponse):
    """The answer to a handshake. aiohttp drops the body of a refusal, and with it the reason."""

    async def start(self, connection: aiohttp.connector.Connection) -> Self:
        await super().start(connection)
        if self.status != 101:
            body = b"" if self.status in (204, 304) else await self.content.read(_MOST_OF_A_REFUSAL)
            raise RefusedError(Answer(status=self.status, headers=self.headers, body=body, url=str(self.url)))
        return self


class Sockets:
    """Opens websockets for one source; only to public addresses where somebody else than the operator chose them."""

    def __init__(self, *, allow_private: bool = True, user_agent: str = USER_AGENT) -> None:
        self._allow_private = allow_private
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def connect(self, url: str, *, headers: Mapping[str, str] | None = None, most: int) -> aiohttp.ClientWebSocketResponse:
        """An open websocket, whose messages have at most `most` bytes. Pings are for the caller to answer.

        Raises RefusedError, and SourceError where there is no answer.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=connector(allow_private=self._allow_private),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent},
                response_class=_Handshake,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                return await self._session.ws_connect(
                    url,
                    headers=dict(headers or {}),
                    autoping=False,
                    max_msg_size=most,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise unreachable(url, error, HANDSHAKE_S) from error

    async def close(self) -> None:
        """Closes what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None
