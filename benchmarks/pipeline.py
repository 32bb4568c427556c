"""Pipeline: entries of the stream, judged, stored and acknowledged by one worker, beside what judging and storing do alone."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks import posts
from benchmarks.measure import Figure, Scale, beside, drained, in_turn, rate, redis_server
from monitor.settings import Settings
from monitor.store import Database, record
from monitor.store.judged import Judged
from monitor.stream import Item, Stream
from monitor.words import Post, encode
from workers.alert import drafts
from workers.pipeline import Worker
from workers.reader import LocalReader

BATCH = LocalReader.batch
_FIRST = 1_790_000_000_000 << 21


async def run(scale: Scale) -> list[Figure]:
    count = scale.count(1_000, least=BATCH)
    settings = Settings()
    judge = posts.judge()
    rounds = 0

    def fresh() -> list[Post]:
        nonlocal rounds
        rounds += 1
        return posts.posts(count, seed=rounds)

    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        databases = [Database(f"sqlite+aiosqlite:///{Path(folder) / name}.sqlite") for name in ("whole", "alone")]
        for database in databases:
            await database.migrate()
        whole, alone = databases
        async with redis_server() as url:
            stream = await Stream.open(url)

            async def through() -> float:
                await stream.publish([Item(post.version, encode(post)) for post in fresh()])
                stop = asyncio.Event()
                started = time.perf_counter()
                worker = asyncio.create_task(Worker("bench-0", stream, whole, LocalReader(judge), settings).run(stop))

                async def empty() -> bool:
                    return (await stream.stats()).length == 0

                await drained(empty)
                took = time.perf_counter() - started
                stop.set()
                await worker
                return count / took

            async def judging() -> float:
                heard = fresh()

                async def work() -> None:
                    await asyncio.to_thread(lambda: [judge.judge(post.id, post.text, post.lang) for post in heard])

                return await rate(count, work)

            async def storing() -> float:
                judged = [_judged(n + rounds * count, post, settings) for n, post in enumerate(fresh())]

                async def work() -> None:
                    for start in range(0, count, BATCH):
                        async with alone.write() as connection:
                            await record.record(connection, judged[start : start + BATCH])

                return await rate(count, work)

            own, judge_alone, store_alone = await in_turn(scale.repeats, through, judging, storing)
            await stream.close()
        for database in databases:
            await database.close()
    slower = [min(pair) for pair in zip(judge_alone, store_alone, strict=True)]
    both = [1 / (1 / a + 1 / b) for a, b in zip(judge_alone, store_alone, strict=True)]
    name = "pipeline, stream to stored and acknowledged"
    note = f"classify alone {sorted(judge_alone)[len(own) // 2]:,.0f}/s, store alone {sorted(store_alone)[len(own) // 2]:,.0f}/s"
    return [
        beside(name, "mentions/s", own, "the slower of classify and store alone", slower, 0.6, note),
        beside(name, "mentions/s", own, "one after the other, with no stream and nothing between", both, None, note),
    ]


def _judged(n: int, post: Post, settings: Settings) -> Judged:
    judgement = posts.judge().judge(post.id, post.text)
    number = _FIRST + (n << 8)
    alerts = drafts(judgement, post, settings.alerts, ())
    return Judged(number=number, seen_ms=number >> 21, post=post, judgement=judgement, alerts=alerts)
