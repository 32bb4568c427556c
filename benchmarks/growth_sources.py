"""What so many sources cost a process of `exowatch collect`: feeds that rest, and feeds that are polled every ten seconds."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from aiohttp import web

from benchmarks import posts
from benchmarks.measure import Figure, Scale, plain
from benchmarks.processes import processor_s, resident_mb, with_children
from tests.daemon_process import running_daemon
from tests.quick_pack import rules_alone
from tests.servers import BINARIES, RedisServer

COUNTS = (1, 10, 25, 50)
_REST = "at rest"
KINDS = {_REST: "1d", "that polls every 10 s": "10s"}
_SECONDS = 20.0
_AT_REST_S = 0.06  # of processor time in two seconds
_ITEMS = 20  # of a feed, the newest of which is new at every poll
_ENOUGH = 10  # polls, for the cost of one: fewer begin or end outside of the time
_PATIENCE_S = 120.0


async def by_sources(scale: Scale) -> list[Figure]:
    """Processor time a second, resident memory, and processor time of one poll."""
    figures: list[Figure] = []
    counts = COUNTS if scale.share >= 1 else COUNTS[:2]
    for kind, interval in KINDS.items():
        for count in counts:
            seconds = max(2.5, _SECONDS * scale.share)
            spent, memory, polls = await _watched(count, interval, seconds)
            where = f"{count:,} sources"
            figures.append(plain(f"growth: collector {kind}, processor, {where}", "ms/s", [spent]))
            figures.append(plain(f"growth: collector {kind}, memory, {where}", "MB", [memory]))
            if polls * seconds >= _ENOUGH:
                figures.append(plain(f"growth: a poll of a feed of {_ITEMS}, {where}", "ms", [spent / polls]))
    return figures


async def _watched(count: int, interval: str, seconds: float) -> tuple[float, float, float]:
    """Milliseconds of processor time a second, MB, and polls a second, once the first polls are over."""
    async with _feeds() as (port, polled):
        with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
            server = RedisServer(BINARIES[0])
            try:
                server.start("--appendfsync", "everysec")
                config = _config(Path(folder), server.url, port, count, interval)
                async with running_daemon(config, "collect") as collector, asyncio.timeout(_PATIENCE_S):
                    while polled[0] < (count if interval == KINDS[_REST] else 2 * count):
                        await asyncio.sleep(0.05)
                    if interval == KINDS[_REST]:
                        await _at_rest(collector.pid)
                    before, at = polled[0], _spent(collector.pid)
                    await asyncio.sleep(seconds)
                    spent = _spent(collector.pid) - at
                    memory = sum(resident_mb(pid) for pid in with_children(collector.pid))
                    return max(spent, 0.001) / seconds * 1000, memory, (polled[0] - before) / seconds
            finally:
                server.remove()


async def _at_rest(pid: int) -> None:
    """Returns once what the first polls brought is read and published."""
    while True:
        before = _spent(pid)
        await asyncio.sleep(2)
        if _spent(pid) - before < _AT_REST_S:
            return


def _spent(pid: int) -> float:
    return sum(processor_s(one) for one in with_children(pid))


def _config(folder: Path, redis_url: str, port: int, count: int, interval: str) -> Path:
    """Each feed at an address of its own, as they are in life."""
    rules_alone(folder)
    sources = [
        f'[[source]]\nname = "feed{n}"\nkind = "feed"\nurl = "http://127.0.0.{n + 1}:{port}/{n}.xml"\ninterval = "{interval}"\n'
        for n in range(count)
    ]
    config = folder / "monitor.toml"
    config.write_text("\n".join([f'data_dir = "data"\n[redis]\nurl = "{redis_url}"\n', *sources]))
    return config


@asynccontextmanager
async def _feeds() -> AsyncIterator[tuple[int, list[int]]]:
    """A server of feeds at every loopback address: its port, and how often it was asked, in a list of one."""
    polled = [0]
    texts = [escape(text) for text in posts.mixed_texts(200)]
    numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(_ITEMS))

    async def answer(request: web.Request) -> web.Response:
        polled[0] += 1
        newest = next(numbers[request.path])
        items = "".join(
            f"<item><title>Post {n}</title><description>{texts[n % len(texts)]}</description>"
            f'<guid isPermaLink="false">post-{n}</guid></item>'
            for n in range(newest, newest - _ITEMS, -1)
        )
        body = f'<?xml version="1.0"?><rss version="2.0"><channel><title>A feed</title>{items}</channel></rss>'
        return web.Response(text=body, content_type="application/rss+xml")

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "0.0.0.0", 0)  # noqa: S104 - every address of the loopback network, and for a moment
        await site.start()
        yield runner.addresses[0][1], polled
    finally:
        await runner.cleanup()
