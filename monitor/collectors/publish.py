"""What becomes of a collector's batches: gap noted, posts published, deletions carried out, cursor moved.

And what is written down of it, for whoever asks how the source is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from monitor import telemetry, tracing
from monitor.collectors.base import Batch, Gap, Span
from monitor.collectors.trail import Trail
from monitor.deletions import Eraser
from monitor.ids import public_id
from monitor.intake import Intake, Offered, PostError, bounded
from monitor.leasing import Lease
from monitor.notices import News
from monitor.pause import pause
from monitor.settings import Endpoint, Source
from monitor.store import Database, coverage, news, sources
from monitor.store.sources import Heard
from monitor.stream import LeaseLost, Signal, Stream, StreamRewound, StreamUnavailable
from monitor.times import now_ms
from monitor.watchdog import Pulse
from monitor.words import Post

log = structlog.get_logger()

TROUBLE_S = 1.0  # pause while Redis or the database is away
POLL_STALLS_AFTER_S = 1800.0  # without a batch or an end; sites that ask for patience within a poll get some
CHUNK = 500  # posts published in one step


class Publisher:
    """One source's way into the stream and the record. `max_age_s`: older posts are not fresh."""

    def __init__(
        self,
        source: Source,
        stream: Stream,
        intake: Intake,
        database: Database,
        *,
        max_age_s: float,
        endpoints: Sequence[Endpoint] = (),
        lease: Lease | None = None,
    ) -> None:
        self._source = source
        self._lease = lease
        self._stream = stream
        self._intake = intake
        self._database = database
        self._endpoints = endpoints
        self.eraser = Eraser(stream, database, intake.pseudonyms, endpoints)
        self._max_age_ms = max_age_s * 1000
        self._heard = Heard()
        self._cursor: str | None = None  # of batches without anything to publish, not yet saved
        self._covered: list[Span] = []
        self._trail = Trail(stream, source.name)
        self._log = log.bind(source=source.name)
        self.pulse = Pulse(f"collect {source.name}", POLL_STALLS_AFTER_S)
        self.gap_noted = asyncio.Event()  # that can be refilled

    async def take(self, batch: Batch, stop: asyncio.Event, *, until: int) -> None:
        """Carries a batch out. `until` (ms) is where a gap or covered time ends that does not say so itself.

        Raises StreamUnavailable where told to stop before the stream took it, StreamRewound where the stream has lost what was
        before it, LeaseLost and StoreUnavailable.
        """
        self.pulse.beat()
        with tracing.span("collect", source=self._source.name, posts=len(batch.posts)):
            await self._take(batch, stop, until)

    async def _take(self, batch: Batch, stop: asyncio.Event, until: int) -> None:
        if self._lease is not None and not self._lease.holds:
            # Paused for so long that another may have the source: what it notes of gaps is right, what we would is not.
            raise LeaseLost(f"{self._source.name} may be another process' by now")
        if batch.gap is not None:
            # Before the cursor moves on: a gap may be noted twice, and must not be missing.
            await self.note_gap(batch.gap, until)
        posts = [ready for post in batch.posts if (ready := self._ready(post)) is not None]
        offered = Offered()
        chunks = [posts[at : at + CHUNK] for at in range(0, len(posts), CHUNK)]
        for chunk in chunks:
            last = chunk is chunks[-1] and not batch.deleted and not batch.news
            offered += await self._offer(chunk, batch.cursor if last else None, stop)
        if batch.deleted:
            await self.eraser.erase(batch.deleted)
        if batch.news:
            await self._tell(batch.news)
        if batch.cursor is not None:
            self._cursor = batch.cursor if not posts or batch.deleted or batch.news else None
        self._note(batch, posts, offered, until)

    async def flush(self, stop: asyncio.Event) -> None:
        """Saves the cursor, and writes down what was heard and covered. Raises StreamUnavailable, StoreUnavailable."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            await self._offer([], cursor, stop)
        try:
            self._heard.cursor = await self._trail.judged() or self._heard.cursor
        except StreamRewound:
            raise
        except StreamUnavailable:
            pass  # it is noted once Redis is back; what was heard need not wait for that
        what, covered = self._heard, self._covered
        self._heard, self._covered = Heard(), []
        if what == Heard() and not covered:
            return
        async with self._database.write() as connection:
            await sources.heard(connection, self._source.name, what)
            for span in covered:
                await coverage.extend(connection, self._source.name, span.since, span.until or now_ms())

    def rewind(self) -> None:
        """Says that Redis lost what was published last: where it got to is to be asked for again."""
        self._cursor = None
        self._trail.rewind()

    def covers(self, span: Span) -> None:
        """Notes that a time was covered, with the next flush."""
        before = self._covered[-1] if self._covered else None
        if before is not None and span.since is None:
            span = Span(since=before.since, until=max(before.until or 0, span.until or 0))
            self._covered.pop()
        self._covered.append(span)

    async def note_gap(self, gap: Gap, until: int) -> None:
        """Notes a gap at once. What was covered before it is written down first, so that it begins where that ends."""
        covered, self._covered = self._covered, []
        name = self._source.name
        async with self._database.write() as connection:
            for span in covered:
                await coverage.extend(connection, name, span.since, span.until or until)
            await coverage.note_gap(connection, name, gap.since, gap.until or until, gap.cause, gap.ticket)
        self._log.warning("gap", cause=gap.cause, refillable=gap.ticket is not None)
        if gap.ticket is not None:
            self.gap_noted.set()

    async def _offer(self, posts: Sequence[Post], cursor: str | None, stop: asyncio.Event) -> Offered:
        """Offers until they are taken: the source is not asked again while the stream is away or full, and nothing is dropped."""
        while True:
            self.pulse.beat()
            try:
                return await self._intake.offer(posts, source=self._source.name, cursor=cursor)
            except StreamRewound:
                raise  # these posts follow others that are lost: to go on with them would leave a hole
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

    async def _tell(self, items: Sequence[News]) -> None:
        """Keeps the news that are on the topic or that the register cites, and tells of those that are new."""
        ours = [one for one in items if one.entries or self._intake.keywords.find(f"{one.title}\n\n{one.summary}")]
        if not ours:
            return
        async with self._database.write() as connection:
            raised = await news.add(connection, self._source.name, ours, self._endpoints)
        await self._stream.signal(*(Signal(kind="alert", id=public_id("a", number)) for number in raised))

    def _note(self, batch: Batch, posts: Sequence[Post], offered: Offered, until: int) -> None:
        name, heard = self._source.name, self._heard
        telemetry.heard.labels(name).inc(len(posts))
        telemetry.matched.labels(name).inc(offered.accepted)
        telemetry.duplicates.labels(name).inc(offered.duplicates)
        made = [post.created_at for post in posts if post.created_at is not None]
        heard.posts += len(posts) + len(batch.news)
        heard.matched += offered.accepted
        heard.late += batch.late
        heard.lag_s = max(0.0, (now_ms() - max(made)) / 1000) if made else heard.lag_s
        if batch.cursor is not None:
            self._trail.passed(batch.cursor)
        if batch.covered is not None:
            self.covers(Span(since=batch.covered.since, until=batch.covered.until or until))
        if offered.accepted:
            self._log.info("heard", posts=len(posts), matched=offered.accepted)
