"""The API as its callers wait for it: a search at the server with so many mentions stored."""

from __future__ import annotations

import random
import time
from urllib.parse import urlencode

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_most, in_turn, quantile, redis_server
from monitor.store import Database
from monitor.times import rfc3339
from monitor.words import CLAIM_TYPES
from tests.api_server import Api, serving

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
