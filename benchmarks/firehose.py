"""Bluesky's whole stream at 5,000 events a second, through the real collector, matcher, stream and record, on one core.

The collector's process is alone on its core. Jetstream's stand-in and the redis-server share another, where there is one.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from benchmarks import posts
from benchmarks.firehose_feed import Sent
from benchmarks.measure import Figure, Scale, at_least, at_most, in_turn, plain, redis_server
from monitor.collectors.base import Batch
from monitor.collectors.bluesky import BlueskyCollector
from monitor.collectors.budget import Budgets
from monitor.collectors.run import SourceWatch
from monitor.intake import Intake
from monitor.pseudonyms import Pseudonyms
from monitor.settings.sources.bluesky import BlueskySource
from monitor.store import Database
from monitor.stream import Stream

SECONDS = 60.0
RATE = 5_050.0  # sent; a little more than what is asked for, since a clock's tick is never quite kept
LIMIT = 5_000.0
MOST_GROWTH_MB = 5.0  # between the first third and the last; what a heap breathes
_PATIENCE_S = 120.0


class _Timed(BlueskyCollector):
    """The collector, watched: what it heard, how old that was once it was in the stream, and what memory that took."""

    heard = 0
    began = ended = cpu = 0.0
    lags: list[float]
    memory: list[float]

    async def stream(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        self.lags, self.memory = [], []
        noted = 0.0
        async for batch in super().stream(cursor):
            if not self.heard:
                self.began, self.cpu = time.perf_counter(), -time.process_time()
            oldest = min((post.created_at or 0 for post in batch.posts), default=0)
            yield batch
            now = time.perf_counter()
            # The runner asks for the next batch once it has published this one.
            self.heard += len(batch.posts)
            if batch.posts:
                self.lags.append(time.time() - oldest / 1000)
                self.ended = now
            if now - noted > 0.5:
                noted = now
                self.memory.append(_resident_mb())


async def run(scale: Scale) -> list[Figure]:
    cores = sorted(os.sched_getaffinity(0))
    rounds: list[list[Figure]] = []

    async def once() -> float:
        try:
            rounds.append(await _once(max(3.0, SECONDS * scale.share), cores))
        finally:
            os.sched_setaffinity(0, cores)
        return rounds[-1][0].value

    await in_turn(1, once, warm_up=False)
    return rounds[-1]


async def _once(seconds: float, cores: list[int]) -> list[Figure]:
    os.sched_setaffinity(0, {cores[-1]})  # what is started now is there too
    async with redis_server() as url:
        feed = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.firehose_feed", str(seconds), str(RATE),
            stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        assert feed.stdout is not None
        try:
            origin = (await asyncio.wait_for(feed.stdout.readline(), _PATIENCE_S)).decode().strip()
            os.sched_setaffinity(0, {cores[0]})
            with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
                collector, sent, published = await _listen(origin, url, folder, feed.stdout)
        finally:
            feed.kill()
            await feed.wait()
    return _figures(collector, sent, published)


async def _listen(origin: str, redis_url: str, folder: str, said: asyncio.StreamReader) -> tuple[_Timed, Sent, int]:
    source = BlueskySource(name="sky", kind="bluesky", base_url=origin)
    collector = _Timed(source, Budgets())
    stream = await Stream.open(redis_url)
    database = Database(f"sqlite+aiosqlite:///{folder}/store.sqlite")
    await database.migrate()
    intake = Intake(stream, posts.topic().keywords, Pseudonyms("pseudonym", b"k" * 64))
    stop = asyncio.Event()
    watch = asyncio.create_task(SourceWatch(source, collector, stream, intake, database, max_age_s=86_400).run(stop))
    try:
        sent = msgspec.json.decode(await said.readline(), type=Sent)
        deadline = time.monotonic() + _PATIENCE_S
        while collector.heard < sent.posts and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        collector.cpu += time.process_time()
        published = (await stream.stats()).length
    finally:
        stop.set()
        await watch
        await stream.close()
        await database.close()
    return collector, sent, published


def _figures(collector: _Timed, sent: Sent, published: int) -> list[Figure]:
    took = collector.ended - collector.began
    third = max(1, len(collector.memory) // 3)
    growth = statistics.median(collector.memory[-third:]) - statistics.median(
        collector.memory[third : 2 * third] or collector.memory
    )
    kept = f"{sent.events:,} events in {sent.seconds:.0f} s, {sent.posts:,} of them posts, {sent.on_topic} on topic"
    return [
        at_least("firehose", "events/s", [sent.events / took], LIMIT, "wanted", kept),
        at_least("firehose: posts heard of those sent", "share", [collector.heard / sent.posts], 1, "wanted"),
        at_least("firehose: posts on topic in the stream", "share", [published / sent.on_topic], 1, "wanted"),
        at_most("firehose: age of a post in the stream, at most", "s", [max(collector.lags)], 1, "wanted"),
        plain("firehose: age of a post in the stream, median", "s", [statistics.median(collector.lags)]),
        at_most("firehose: growth of memory", "MB", [max(growth, 0.01)], MOST_GROWTH_MB, "what a heap breathes"),
        plain("firehose: the core's time", "share", [collector.cpu / took]),
    ]


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
