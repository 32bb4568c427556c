"""A small web server on a free port that answers as it is told and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web


@dataclass(frozen=True)
class Reply:
    """One answer. `hang`: nothing ever comes; `endless`: the body goes on for ever; `drop`: the connection is cut instead."""

    status: int = 200
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    endless: bool = False
    drop: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    form: dict[str, str]


class ScriptedServer:
    """`async with` it. `origin` is its address, `asked` every request, `next(reply, …)` scripts the answers to the next ones."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.asked: list[Asked] = []
        self.origin = ""
        self._host = host
        self._next: deque[Reply | None] = deque()
        self._stop = asyncio.Event()

    def next(self, *replies: Reply | None) -> None:
        """Answers for the next requests, in order; None lets one through to the server's ordinary answer."""
        self._next.extend(replies)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The ordinary answer."""
        raise web.HTTPNotFound(text=f"nothing at {request.path}")

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=10**7)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.origin = f"http://{self._host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()} if request.method == "POST" else {}
        self.asked.append(Asked(request.method, request.path, dict(request.query), request.headers, form))
        scripted = self._next.popleft() if self._next else None
        return await self.send(request, scripted) if scripted is not None else await self.answer(request)

    async def send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        """Sends a scripted reply."""
        if reply.hang:
            await self._stop.wait()
        if reply.drop:
            assert request.transport is not None
            request.transport.abort()
        if not reply.endless:
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            return web.Response(status=reply.status, headers=reply.headers, body=body)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        await response.prepare(request)
        try:
            while not self._stop.is_set():
                await response.write(b"<!-- more and more -->" * 1000)
        except ConnectionError:
            pass
        return response
