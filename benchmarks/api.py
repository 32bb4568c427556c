"""The API as its callers wait for it: a search at the server with so many mentions stored, and how soon a live event is there."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_most, in_turn, quantile, redis_server
from monitor.settings import Settings
from monitor.settings.model import Store
from monitor.store import Database
from monitor.stream import Signal
from monitor.words import CLAIM_TYPES, public_id, rfc3339
from tests.api_server import Api, serving
from tests.samples import judged, occurrence, write

WEEK_MS = 7 * 86_400_000
WORDS = (0, 300, 10_000)  # of `posts.word`: common, in the middle, rare


async def searching(scale: Scale, where: str, database: Database, last_ms: int) -> list[Figure]:
    """A page of mentions by text, type and 7 days over HTTP, from the request's first byte to the answer's last."""
    dice = random.Random(11)
    asked = []
    for number in WORDS:
        for _ in range(scale.count(100, least=10)):
            since = dice.randrange(posts.FIRST_MS, max(posts.FIRST_MS + 1, last_ms - WEEK_MS))
            window = {"since": rfc3339(since), "until": rfc3339(since + WEEK_MS)}
            asked.append(urlencode({"text": posts.word(number), "type": dice.choice(CLAIM_TYPES), **window}))
    async with redis_server() as url, serving(database, url) as api:

        async def once() -> float:
            return quantile([await _asked(api, query) for query in asked], 0.99) * 1000

        (found,) = await in_turn(scale.repeats, once)
    return [at_most(f"search at the server by text, type and 7 days, {where}, p99", "ms", found, 50, "DESIGN.md")]


async def _asked(api: Api, query: str) -> float:
    started = time.perf_counter()
    async with api.client.get(f"{api.url}/api/v1/mentions?{query}") as answer:
        await answer.read()
        assert answer.status == 200
    return time.perf_counter() - started


async def run(scale: Scale) -> list[Figure]:
    """How long after it is stored a mention is with a client of /live."""
    count = scale.count(200, least=10)
    numbers = iter(range(10**9))
    async with (
        _fresh() as database,
        redis_server() as url,
        serving(database, url) as api,
        api.client.get(f"{api.url}/live?event=mention") as answer,
    ):

        async def once() -> float:
            return quantile([await _visible(api, answer, next(numbers)) for _ in range(count)], 0.99) * 1000

        (found,) = await in_turn(scale.repeats, once)
    return [at_most("live event after storage, p99", "ms", found, 200, "issue 8")]


@asynccontextmanager
async def _fresh() -> AsyncIterator[Database]:
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        database = Database(Settings(store=Store(url=f"sqlite:///{Path(folder)}/store.sqlite")).sqlalchemy_url)
        await database.migrate()
        try:
            yield database
        finally:
            await database.close()


async def _visible(api: Api, answer: aiohttp.ClientResponse, number: int) -> float:
    """Seconds from the commit to the event's last line."""
    text = f"Exosomes raise collagen by {number} percent."
    found: Any = occurrence(text, text, f"claim {number}")
    stored = await write(api.database, judged(str(number), text, found, hours_ago=0, n=number % 2**13))
    started = time.perf_counter()
    await api.stream.signal(*(Signal("mention", public_id("m", one)) for one in stored.stored))
    async with asyncio.timeout(30):
        async for line in answer.content:
            if line.startswith(b"data:"):
                return time.perf_counter() - started
    raise AssertionError("the live events ended")
