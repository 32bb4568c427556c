"""Keeps one source watched: poll, publish, note how it went, wait."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec
import structlog

from monitor import telemetry
from monitor.collectors.base import Batch, Collector, SourceError
from monitor.intake import Intake, Offered, PostError, bounded
from monitor.pause import pause, until
from monitor.settings import Source
from monitor.store import Database, StoreUnavailable, sources
from monitor.stream import Stream, StreamUnavailable
from monitor.words import Post, SourceState, now_ms

log = structlog.get_logger()

DOWN_AFTER = 5  # failures in a row until a source that is failing counts as down
MAX_BACKOFF_S = 3600.0
TROUBLE_S = 1.0  # pause while Redis or the database is away
CHUNK = 500  # posts published in one step


class SourceWatch:
    """One source, watched until told to stop. Nothing that goes wrong with it reaches another source."""

    def __init__(
        self, source: Source, collector: Collector, stream: Stream, intake: Intake, database: Database, *, max_age_s: float
    ) -> None:
        self._source = source
        self._collector = collector
        self._stream = stream
        self._intake = intake
        self._database = database
        self._max_age_ms = max_age_s * 1000
        self._failures = 0
        self._log = log.bind(source=source.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Polls again and again; ends when `stop` is set, or for good where the source says that it is gone."""
        try:
            while not stop.is_set():
                try:
                    wait = await self._poll(stop)
                except (StreamUnavailable, StoreUnavailable) as error:
                    # What was not published is not covered by the cursor either: the next poll brings it again.
                    self._log.warning("waiting for a server", error=str(error))
                    wait = TROUBLE_S
                if wait is None:
                    return
                await pause(stop, wait)
        finally:
            await self._collector.close()

    async def _poll(self, stop: asyncio.Event) -> float | None:
        """One poll; seconds until the next, or None where there is to be none."""
        wait = self._source.interval * random.uniform(0.95, 1.05)  # so that many sources do not march in step
        try:
            async with aclosing(self._collector.poll(await self._stream.cursor(self._source.name))) as batches:
                while (batch := await _next(batches, stop)) is not None:
                    await self._publish(batch, stop)
                    wait = max(wait, batch.wait or 0)
                    if batch.gap is not None:
                        async with self._database.write() as connection:
                            await sources.note_gap(connection, self._source.name, batch.gap)
        except _StoppedError:
            return wait
        except SourceError as error:
            return await self._failed(str(error), error.retry_after, permanent=error.permanent)
        except (StreamUnavailable, StoreUnavailable):
            raise
        except Exception as error:  # a fault of ours in one collector must not stop the others
            self._log.exception("unexpected error in a collector")
            return await self._failed(f"unexpected {type(error).__name__}: {error}", None, permanent=False)
        self._failures = 0
        async with self._database.write() as connection:
            await sources.succeeded(connection, self._source.name)
        return wait

    async def _publish(self, batch: Batch, stop: asyncio.Event) -> None:
        """The batch into the stream, its cursor with the last of it. Raises StreamUnavailable where told to stop meanwhile."""
        posts = [ready for post in batch.posts if (ready := self._ready(post)) is not None]
        chunks: list[Sequence[Post]] = [posts[at : at + CHUNK] for at in range(0, len(posts), CHUNK)] or [[]]
        offered = Offered()
        for chunk in chunks:
            cursor = batch.cursor if chunk is chunks[-1] else None
            offered += await self._offer(chunk, cursor, stop)
        await self._note(posts, offered, batch.cursor)

    async def _offer(self, posts: Sequence[Post], cursor: str | None, stop: asyncio.Event) -> Offered:
        """Offers until they are taken: the source is not asked again while the stream is away or full, and nothing is dropped."""
        while True:
            try:
                return await self._intake.offer(posts, source=self._source.name, cursor=cursor)
            except StreamUnavailable as error:
                if stop.is_set():
                    raise
                self._log.warning("posts wait for the stream", posts=len(posts), error=str(error))
                await pause(stop, TROUBLE_S)

    def _ready(self, post: Post) -> Post | None:
        try:
            post = bounded(post)
        except PostError as error:
            self._log.warning("post left out", error=str(error))
            return None
        old = post.created_at is not None and post.created_at < now_ms() - self._max_age_ms
        return msgspec.structs.replace(post, fresh=not old)

    async def _note(self, posts: Sequence[Post], offered: Offered, cursor: str) -> None:
        name = self._source.name
        telemetry.heard.labels(name).inc(len(posts))
        telemetry.matched.labels(name).inc(offered.accepted)
        telemetry.duplicates.labels(name).inc(offered.duplicates)
        made = [post.created_at for post in posts if post.created_at is not None]
        lag_s = max(0.0, (now_ms() - max(made)) / 1000) if made else None
        async with self._database.write() as connection:
            await sources.heard(connection, name, posts=len(posts), matched=offered.accepted, lag_s=lag_s, cursor=cursor)
        if offered.accepted:
            self._log.info("heard", posts=len(posts), matched=offered.accepted)

    async def _failed(self, error: str, retry_after: float | None, *, permanent: bool) -> float | None:
        self._failures += 1
        telemetry.source_errors.labels(self._source.name).inc()
        state: SourceState = "off" if permanent else "down" if self._failures >= DOWN_AFTER else "failing"
        self._log.warning("source failed", error=error, state=state, failures=self._failures)
        async with self._database.write() as connection:
            await sources.failed(connection, self._source.name, error, state)
        if permanent:
            return None
        backoff: float = min(self._source.interval * 2 ** min(self._failures - 1, 12), MAX_BACKOFF_S)
        return max(backoff * random.uniform(0.9, 1.1), retry_after or 0)


class _StoppedError(Exception):
    """The program is to stop in the middle of a poll."""


async def _next(batches: AsyncGenerator[Batch, None], stop: asyncio.Event) -> Batch | None:
    """The next batch, None at the end. Raises _StoppedError where the program is to stop: slow sites are not waited for."""
    taken: list[Batch | None] = []

    async def take() -> None:
        taken.append(await anext(batches, None))

    if not stop.is_set():
        await until(stop, take())
    if not taken:
        raise _StoppedError
    return taken[0]
