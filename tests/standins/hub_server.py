"""A WebSub hub: takes requests, asks the callback whether they are meant, and pushes with a signature."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from tests.standins.scripted import ScriptedServer


@dataclass
class Subscriber:
    """Who is to be pushed a topic."""

    callback: str
    topic: str
    secret: str


class HubServer(ScriptedServer):
    """`lease`: seconds that it grants; `method`: how it signs; `told`: each question to a callback, and whether it was meant."""

    def __init__(self) -> None:
        super().__init__()
        self.lease = 86_400
        self.method = "sha256"
        self.subscribers: dict[str, Subscriber] = {}
        self.told: list[tuple[str, bool]] = []
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"{self.origin}/hub"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """202, and the question to the callback a moment later."""
        form = self.asked[-1].form
        if request.path != "/hub" or form.get("hub.mode") not in ("subscribe", "unsubscribe"):
            raise web.HTTPBadRequest
        asking = asyncio.create_task(self._verify(form))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        return web.Response(status=202)

    async def ask(self, callback: str, **query: str) -> tuple[int, str]:
        """A question to a callback (`mode`, `topic`, `challenge`, …): the answer."""
        params = {f"hub.{name}": value for name, value in query.items()}
        async with aiohttp.ClientSession() as session, session.get(callback, params=params) as answer:
            return answer.status, await answer.text()

    async def push(self, body: str, *, secret: str | None = None, content_type: str = "application/rss+xml") -> list[int]:
        """Pushes to every subscriber; the answers. `secret`: what a forger would sign with."""
        statuses = []
        async with aiohttp.ClientSession() as session:
            for one in self.subscribers.values():
                digest = hmac.new((secret or one.secret).encode(), body.encode(), getattr(hashlib, self.method)).hexdigest()
                headers = {"Content-Type": content_type, "X-Hub-Signature": f"{self.method}={digest}"}
                async with session.post(one.callback, data=body.encode(), headers=headers) as answer:
                    statuses.append(answer.status)
        return statuses

    async def _verify(self, form: dict[str, str]) -> None:
        mode, topic, callback = form["hub.mode"], form["hub.topic"], form["hub.callback"]
        lease = {"lease_seconds": str(self.lease)} if mode == "subscribe" else {}
        status, text = await self.ask(callback, mode=mode, topic=topic, challenge="c<h>ällenge", **lease)
        meant = status == 200 and text == "c<h>ällenge"
        if meant and mode == "subscribe":
            self.subscribers[callback] = Subscriber(callback, topic, form.get("hub.secret", ""))
        elif meant:
            self.subscribers.pop(callback, None)
        self.told.append((mode, meant))
