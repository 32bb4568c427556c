"""The real HTTP server of exowatch for tests: on a free port of this machine, over a real database and a real Redis."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from monitor.api import MAX_LINE, make_app
from monitor.explain import Present
from monitor.intake import Intake
from monitor.pseudonyms import Pseudonyms
from monitor.readiness import Trouble
from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Stream
from monitor.topic.register import Citation, Entry, Register

ENDPOINT = {
    "name": "case-system",
    "kind": "webhook",
    "url": "http://127.0.0.1:9/hook",
    "secret": "whsec_" + "A" * 42 + "A=",
    "allow_private": True,
}


# Two entries: one that decides the claims of `samples.occurrence` whose identity is "approved", and an old one without scope.
REGISTER = Register(
    (
        Entry(
            id="approved",
            type="regulatory_status",
            claim="An exosome product is approved by the US FDA.",
            verdicts={"US": "contradicted", "UK": "unsupported"},
            as_of=dt.date(2026, 2, 1),
            citations=(
                Citation(
                    id="notice", citation="A public notice on exosome products", url="https://example.org/notice",
                    kind="regulator", year=2019,
                ),
                Citation(id="memory", citation="A talk", url=None, kind="opinion", mark="from memory"),
            ),
            scope={"route": ("injected",)},
            note="Holds for every product.",
        ),
        Entry(
            id="glow",
            type="skin_efficacy",
            claim="Exosomes make skin glow.",
            verdicts={"global": "unsupported"},
            as_of=dt.date(2020, 1, 1),
            citations=(
                Citation(id="trial", citation="A small trial", url="https://example.org/trial", kind="controlled trial", n=12),
            ),
        ),
    )
)  # fmt: skip


class Words:
    """A topic of one word."""

    def find(self, text: str) -> tuple[str, ...]:
        return ("exosome",) if "exosome" in text.lower() else ()

    def where(self, text: str) -> list[tuple[str, int, int]]:
        start = text.lower().find("exosome")
        return [] if start < 0 else [("exosome", start, start + len("exosome"))]


@dataclass
class Api:
    """A running server and a client of it."""

    url: str
    client: aiohttp.ClientSession
    database: Database
    stream: Stream
    app: web.Application
    unready: list[Trouble] = field(default_factory=list)

    async def get(self, path: str, **more: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        async with self.client.get(self.url + path, **more) as answer:
            return answer.status, await answer.json(content_type=None)

    async def post(self, path: str, **more: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        async with self.client.post(self.url + path, **more) as answer:
            return answer.status, await answer.json(content_type=None)

    async def page(self, path: str, **more: Any) -> str:
        """The HTML of a page that must be there."""
        async with self.client.get(self.url + path, headers={"Accept": "text/html"}, **more) as answer:
            assert answer.status == 200
            return await answer.text()


@asynccontextmanager
async def serving(
    database: Database,
    redis_url: str,
    *,
    token: str = "",
    tokens: Sequence[dict[str, Any]] = (),
    register: Register | None = None,
    **more: Any,
) -> AsyncIterator[Api]:
    """The server, until the end of the block; `token` is its own, `tokens` are named ones, `more` further settings."""
    settings = Settings(**{"api": {"token": token}, "endpoint": [ENDPOINT], "token": list(tokens), **more})
    stream = await Stream.open(redis_url)
    unready: list[Trouble] = []

    async def ready() -> Sequence[Trouble]:
        return unready

    async def present() -> Present:
        return Present(classifier="c1", register="r1")

    app = make_app(
        settings=settings,
        database=database,
        stream=stream,
        intake=Intake(stream, Words(), Pseudonyms("pseudonym", b"key")),
        ready=ready,
        present=present,
        register=lambda: REGISTER if register is None else register,
    )
    runner = web.AppRunner(app, access_log=None, max_line_size=MAX_LINE)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        try:
            yield Api(f"http://127.0.0.1:{port}", client, database, stream, app, unready)
        finally:
            await runner.cleanup()
            await stream.close()
