"""Peers that install from packages, in the same run: arq beside the stream hop, and obsei's pipeline beside ours.

One that is not installed is left out with a line. FastStream stands in `stream_hop`, whose work is nearest to its own.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks import posts
from benchmarks.measure import Figure, Scale, beside, drained, in_turn, rate, redis_server
from benchmarks.stream_hop import Offers, exowatch_hop
from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Item, Stream
from monitor.words import Judgement, Post, decode_post, encode
from workers.pipeline import Worker
from workers.reader import Given, Weighed

BATCH = 100
_ARQ_JOBS = 100  # at a time; its default is 10
_ARQ_POLL_S = 0.005  # its default is half a second, in which it takes a hundred jobs at most


async def run(scale: Scale) -> list[Figure]:
    figures: list[Figure] = []
    for name, measure in (("arq", _beside_arq), ("obsei", _beside_obsei)):
        try:
            installed = version(name)
        except PackageNotFoundError:
            print(f"peers: {name} is not installed, so its row is left out (`make bench` installs it)")
            continue
        figures.append(await measure(scale, installed))
    return figures


async def _beside_arq(scale: Scale, installed: str) -> Figure:
    """Jobs put in one by one under the post's key, and a worker whose function decodes the post, until it finds no more."""
    from arq import create_pool, func  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - bench only
    from arq.connections import RedisSettings  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    from arq.worker import Worker as ArqWorker  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    logging.getLogger("arq").setLevel(logging.CRITICAL)
    count = scale.count(2_000, least=BATCH)
    offers = Offers(count)
    done = 0

    async def decode(_: dict[Any, Any], data: bytes) -> None:
        nonlocal done
        decode_post(data)
        done += 1

    async with redis_server() as url:
        stream = await Stream.open(url)
        pool: Any = await create_pool(RedisSettings.from_dsn(url))

        async def ours() -> float:
            items = offers.next()
            return await rate(count, lambda: exowatch_hop(stream, items, BATCH))

        async def theirs() -> float:
            nonlocal done
            items, done = offers.next(), 0

            async def work() -> None:
                for item in items:
                    await pool.enqueue_job("decode", item.data, _job_id=item.key)
                worker = ArqWorker(
                    [func(decode, name="decode")],
                    redis_pool=pool,
                    burst=True,
                    handle_signals=False,
                    max_jobs=_ARQ_JOBS,
                    poll_delay=_ARQ_POLL_S,
                )
                await worker.run_check()

            found = await rate(count, work)
            assert done == count, f"arq did {done} of {count}"
            return found

        own, other = await in_turn(scale.repeats, ours, theirs)
        await pool.aclose()
        await stream.close()
    note = f"{_ARQ_JOBS} jobs at a time, polled every {_ARQ_POLL_S * 1000:g} ms; its defaults are 10 and half a second"
    return beside(f"stream hop, batches of {BATCH}", "entries/s", own, f"arq {installed}", other, None, note)


class _NothingToSay:
    """A reader that finds nothing in any post, so that what remains is the pipeline."""

    batch = BATCH
    version = "none"

    async def weigh(self, posts: Sequence[Given]) -> list[Weighed | Exception]:
        return [Weighed(_nothing(one.id), ()) for one in posts]

    async def close(self) -> None:
        pass


def _nothing(name: str) -> Judgement:
    return Judgement(
        id=name, relevant=True, language="en", adverse_event=False, alert=False, claims=(), classifier="none", register="none"
    )


async def _beside_obsei(scale: Scale, installed: str) -> Figure:
    """Posts in memory until all are stored on disk, with an analyser that does nothing."""
    count = scale.count(2_000, least=BATCH)
    seeds = itertools.count(1)
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        database = Database(f"sqlite+aiosqlite:///{Path(folder) / 'ours.sqlite'}")
        await database.migrate()
        peer = _Obsei(Path(folder) / "theirs.duckdb")
        async with redis_server() as url:
            stream = await Stream.open(url)

            async def ours() -> float:
                heard = posts.posts(count, seed=next(seeds))
                return count / await _through(stream, database, heard)

            async def theirs() -> float:
                heard = posts.posts(count, seed=next(seeds))
                started = time.perf_counter()
                await asyncio.to_thread(peer.take, heard)
                return count / (time.perf_counter() - started)

            own, other = await in_turn(scale.repeats, ours, theirs)
            await stream.close()
        peer.close()
        await database.close()
    note = "from posts in memory to stored on disk, 100 at a time; ours through Redis, and searchable by words"
    return beside("pipeline with nothing to judge", "mentions/s", own, f"obsei {installed}", other, None, note)


async def _through(stream: Stream, database: Database, heard: Sequence[Post]) -> float:
    """Seconds until all is stored and acknowledged."""
    stop = asyncio.Event()
    started = time.perf_counter()
    worker = asyncio.create_task(Worker("bench-0", stream, database, _NothingToSay(), Settings()).run(stop))
    for start in range(0, len(heard), BATCH):
        await stream.publish([Item(post.version, encode(post)) for post in heard[start : start + BATCH]])

    async def empty() -> bool:
        return (await stream.stats()).length == 0

    await drained(empty)
    took = time.perf_counter() - started
    stop.set()
    await worker
    return took


class _Obsei:
    """obsei's own pipeline, store and run; the source yields the posts, the enricher says nothing, the sink counts."""

    def __init__(self, file: Path) -> None:
        from obsei.store import Store  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - bench only

        self._store: Any = Store(file, allow_unencrypted=True, install_extensions=False)

    def take(self, heard: Sequence[Post]) -> None:
        """Runs the pipeline once over these posts."""
        from obsei.pipeline import Pipeline, SourceSpec, run  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        sink = _Counting()
        pipeline = Pipeline(
            name="bench",
            sources=[SourceSpec("bench", _Posts(heard))],
            enrichers=[_Nothing()],
            sinks=[sink],
            allow_unredacted=True,
            batch_size=BATCH,
        )
        report = run(pipeline, self._store)
        assert report.stored == sink.sent == len(heard), f"obsei stored {report.stored} of {len(heard)}"

    def close(self) -> None:
        self._store.close()


class _Posts:
    name = "bench"

    def __init__(self, heard: Sequence[Post]) -> None:
        self._heard = heard

    def fetch(self, cursor: Any) -> Iterator[Any]:  # noqa: ARG002 - each run has posts of its own
        from obsei.core.record import Record, SourceRef  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        for post in self._heard:
            at = dt.datetime.fromtimestamp((post.created_at or 0) / 1000, dt.UTC)
            source = SourceRef(type=post.platform, native_id=post.id, url=post.url)
            yield Record(source=source, text=post.text, created_at=at), {"id": post.id}


class _Nothing:
    name = "nothing"
    version = "1"

    def enrich(self, batch: Sequence[Any]) -> list[Any]:
        from obsei.core.record import Enrichment  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        return [Enrichment(value=[]) for _ in batch]


class _Counting:
    name = "counting"

    def __init__(self) -> None:
        self.sent = 0

    def send(self, batch: Sequence[Any]) -> Any:
        from obsei.core.protocols import SinkResult  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        self.sent += len(batch)
        return SinkResult(sent=len(batch))
