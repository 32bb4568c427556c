"""How soon what is stored is heard and seen: at a client of /live, and in Chromium on Today and on Mentions, with so many stored.

Both pages stand open side by side, as at a desk, and share the machine with server, database and whoever writes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_most, quantile, redis_server
from benchmarks.pages import fill
from benchmarks.store import Opened, _postgres, _sqlite
from monitor.ids import public_id
from monitor.stream import Signal
from tests.api_server import Api, serving
from tests.browser import chromium, opened_browser, window
from tests.samples import judged, occurrence, write

AT_MOST_MS = 200.0
LEAST_S, MOST_S = 0.1, 0.6  # from one post to the next
PAGES = {"Today": "/", "Mentions": "/mentions"}
# Once the words stand there and the browser has painted them.
_WATCH = """word => {
  window.shownAt = new Promise((done) => {
    const seen = new MutationObserver(() => {
      if (!document.body.textContent.includes(word)) return;
      seen.disconnect();
      requestAnimationFrame(() => setTimeout(() => done(Date.now())));
    });
    seen.observe(document.body, { childList: true, subtree: true });
  });
}"""


async def run(scale: Scale) -> list[Figure]:
    figures = await _measured(scale, "SQLite", _sqlite)
    try:
        figures += await _measured(scale, "PostgreSQL", _postgres)
    except FileNotFoundError as error:
        print(f"live: {error}, so its rows are left out")
    return figures


async def _measured(scale: Scale, name: str, opened: Opened) -> list[Figure]:
    size = max(scale.sizes)
    async with opened() as (database, bare), redis_server() as url:
        await fill(database, bare, size)
        async with serving(database, url, register=posts.topic().register) as api, _windows(api) as pages:
            numbers = iter(range(10**9))
            found: dict[str, list[float]] = {}
            async with api.client.get(f"{api.url}/live?event=mention") as answer:
                for turn in range(scale.repeats + 1):
                    took = [await _one(api, answer, pages, next(numbers)) for _ in range(scale.count(40, least=5))]
                    for what in took[0] if turn else ():  # the first round is not counted
                        found.setdefault(what, []).append(quantile([one[what] for one in took], 0.99) * 1000)
    return [
        at_most(f"{what}, {name}, {size:,} stored, p99", "ms", values, AT_MOST_MS, "wanted") for what, values in found.items()
    ]


@asynccontextmanager
async def _windows(api: Api) -> AsyncIterator[dict[str, Any]]:
    """The pages, open and listening; none where there is no browser."""
    if chromium() is None or importlib.util.find_spec("playwright") is None:
        print("live: there is no Chromium with playwright, so the pages' rows are left out")
        yield {}
        return
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(opened_browser())
        pages: dict[str, Any] = {}
        for name, path in PAGES.items():
            shown = await stack.enter_async_context(window(browser, api.url))
            await shown.go(path)
            await shown.page.get_by_text("live", exact=True).wait_for()
            pages[name] = shown.page
        yield pages


async def _one(api: Api, answer: aiohttp.ClientResponse, pages: dict[str, Any], number: int) -> dict[str, float]:
    """Seconds from the commit of a post with a new claim to the event's last line, and to when each page shows it."""
    await asyncio.sleep(random.uniform(LEAST_S, MOST_S))
    text = f"Exosomes raise collagen by {number} percent in week {number}."
    for page in pages.values():
        await page.evaluate(_WATCH, text)
    batch = judged(f"live-{number}", text, occurrence(text, text, f"live {number}"), hours_ago=0, n=number % 2**13)
    stored = await write(api.database, batch)
    at, started = time.time(), time.perf_counter()
    signals = [Signal("alert", public_id("a", one)) for one in stored.alerts]
    await api.stream.signal(*signals, *(Signal("mention", public_id("m", one)) for one in stored.stored))
    heard = await _line(answer) - started
    async with asyncio.timeout(30):
        seen = {name: await page.evaluate("window.shownAt") / 1000 - at for name, page in pages.items()}
    return {"live event after storage": heard, **{f"{name} shows what is new": took for name, took in seen.items()}}


async def _line(answer: aiohttp.ClientResponse) -> float:
    """When the next event is there whole."""
    async with asyncio.timeout(30):
        async for line in answer.content:
            if line.startswith(b"data:"):
                return time.perf_counter()
    raise AssertionError("the live events ended")
