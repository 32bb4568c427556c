"""Keeps one source watched: polls it or listens to it, publishes, notes how it went, waits; and fills what gaps can be filled."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import aclosing

import msgspec
import structlog

from monitor import telemetry
from monitor.collectors.base import Collector, Gap, Pushed, Refills, SourceError, Span, Streamer, Verifies
from monitor.collectors.batches import StoppedError, next_batch
from monitor.collectors.publish import TROUBLE_S, Publisher
from monitor.collectors.pushes import Pushes
from monitor.collectors.verify import verify
from monitor.ids import public_id
from monitor.intake import Intake
from monitor.leasing import Lease
from monitor.pause import either, pause, until
from monitor.settings import Endpoint, Source
from monitor.settings.duties import Duty
from monitor.store import Database, StoreUnavailable, coverage, sources
from monitor.store.coverage import OpenGap
from monitor.stream import Signal, Stream, StreamRewound, StreamUnavailable
from monitor.times import now_ms
from monitor.words import SourceState

log = structlog.get_logger()

DOWN_AFTER = 5  # failures in a row until a source that is failing counts as down
MAX_BACKOFF_S = 3600.0
# Of a streamed source, which connects again at once:
RECONNECT_S = 1.0
MAX_RECONNECT_S = 300.0
STREAM_PATIENCE_S = 120.0  # it also has to fail for so long until it counts as down
SETTLED_S = 30.0  # a connection that followed a failure has to live for so long until the source counts as well again
FLUSH_EVERY_S = 1.0  # how often what was heard is written down
REFILL_EVERY_S = 60.0
VERIFY_EVERY_S = 60.0
HANDED_ON_S = 60.0  # a source that nobody had for so long was not handed on: nobody listened


class SourceWatch:
    """One source, watched until told to stop. Nothing that goes wrong with it reaches another source."""

    def __init__(
        self,
        source: Source,
        collector: Collector | Streamer,
        stream: Stream,
        intake: Intake,
        database: Database,
        *,
        max_age_s: float,
        endpoints: Sequence[Endpoint] = (),
        duty: Duty | None = None,
        public_url: str = "",
        lease: Lease | None = None,
    ) -> None:
        """`public_url`: where hubs reach this daemon; empty: nothing is pushed. `lease`: that of the source, where others may
        have it too; None: it is ours alone."""
        self._source = source
        self._lease = lease
        self._duty = duty or Duty()
        self._collector = collector
        self._stream = stream
        self._database = database
        self._endpoints = endpoints
        self._publisher = Publisher(source, stream, intake, database, max_age_s=max_age_s, endpoints=endpoints, lease=lease)
        self._pushes = Pushes(source.name, collector, self._cursor, self._publisher, database, public_url=public_url)
        self.pulse = self._publisher.pulse
        self._begun = False
        self._lost = False
        self._failures = 0
        self._failing_since = 0.0
        self._log = log.bind(source=source.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Polls or listens again and again; ends when `stop` is set, or for good where the source says that it is gone."""
        done = asyncio.Event()
        async with either(stop, done) as over:
            beside = [
                asyncio.create_task(self._keep_refilling(self._collector, over)),
                asyncio.create_task(self._keep_verifying(self._collector, over)),
            ]
            try:
                while not stop.is_set():
                    self.pulse.beat()
                    try:
                        await self._begin()
                        wait = await self._once(stop)
                    except StreamRewound as error:
                        self._rewind()
                        self._log.warning("going back to where Redis stands", error=str(error))
                        wait = 0.0
                    except (StreamUnavailable, StoreUnavailable) as error:
                        # What was not published is not covered by the cursor either: the next time brings it again.
                        self._log.warning("waiting for a server", error=str(error))
                        wait = TROUBLE_S
                    if wait is None:
                        await self._pushes.note_hub(None)
                        return
                    self.pulse.beat(wait)
                    await self._rest(stop, wait)
            finally:
                done.set()
                await asyncio.gather(*beside, return_exceptions=True)
                await self._collector.close()

    async def _begin(self) -> None:
        """Notes that the source is listened to again where for some time it was not. A source that is only handed on goes on."""
        if self._lease is not None and not self._begun:
            if self._lease.idle_s is None or self._lease.idle_s > HANDED_ON_S:
                async with self._database.write() as connection:
                    await sources.begun(connection, self._source.name)
            self._begun = True

    def wake(self) -> None:
        """Says that a hub has pushed something of this source."""
        self._pushes.wake()

    async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
        """Until it is time for the next poll. What a hub pushes meanwhile is read at once."""
        end = time.monotonic() + seconds
        try:
            await self._pushes.read_until(end, stop)
        except StreamRewound:
            self._rewind()
            return  # the poll that comes now goes back
        await pause(stop, end - time.monotonic())

    async def _once(self, stop: asyncio.Event) -> float | None:
        """One poll, or one connection; seconds until the next, or None where there is to be none."""
        try:
            if isinstance(self._collector, Streamer):
                return await self._listen(self._collector, stop)
            return await self._poll(self._collector, stop)
        except StoppedError:
            await self._publisher.flush(stop)
            return 0.0
        except SourceError as error:
            await self._publisher.flush(stop)
            return await self._failed(str(error), error.retry_after, permanent=error.permanent)
        except (StreamUnavailable, StoreUnavailable):
            raise
        except Exception as error:  # a fault of ours in one collector must not stop the others
            self._log.exception("unexpected error in a collector")
            await self._publisher.flush(stop)
            return await self._failed(f"unexpected {type(error).__name__}: {error}", None, permanent=False)

    def _rewind(self) -> None:
        """Redis has lost something of this source."""
        self._publisher.rewind()
        self._lost = True

    async def _cursor(self) -> str | None:
        """Where to go on. Where Redis knows nothing of the source, from where all before it is on record; and so where one of
        several partitions lost something, which that of the cursors did not."""
        cursor = await self._stream.cursor(self._source.name)
        if cursor is None or (self._lost and self._stream.partitions > 1):
            async with self._database.read() as connection:
                judged = await sources.judged_until(connection, self._source.name)
            if judged is not None:
                self._log.warning("Redis does not know where this source was read to, going on from where the record has all")
            cursor = judged or cursor
        self._lost = False
        return cursor

    async def _poll(self, collector: Collector, stop: asyncio.Event) -> float:
        wait = self._source.interval * random.uniform(0.95, 1.05)  # so that many sources do not march in step
        began = now_ms()
        async with aclosing(collector.poll(await self._cursor())) as batches:
            while (batch := await next_batch(batches, stop)) is not None:
                await self._publisher.take(batch, stop, until=began)
                wait = max(wait, batch.wait or 0)
        self._publisher.covers(Span(until=began))
        await self._publisher.flush(stop)
        await self._succeeded()
        if isinstance(collector, Pushed):
            await self._pushes.note_hub(collector.hub)
        return wait

    async def _listen(self, streamer: Streamer, stop: asyncio.Event) -> float:
        """One connection, until it ends or nothing comes for too long."""
        began, flushed = time.monotonic(), 0.0
        alive = False
        async with aclosing(streamer.stream(await self._cursor())) as batches:
            while True:
                try:
                    async with asyncio.timeout(streamer.stall_s):
                        batch = await next_batch(batches, stop)
                except TimeoutError:
                    raise SourceError(f"nothing came for {streamer.stall_s:g} s, so the connection counts as dead") from None
                if batch is None:
                    break
                alive = True
                await self._publisher.take(batch, stop, until=now_ms())
                now = time.monotonic()
                if now - flushed >= FLUSH_EVERY_S:
                    flushed = now
                    await self._publisher.flush(stop)
                    if not self._failures or now - began >= SETTLED_S:
                        await self._succeeded()
        if not alive:
            raise SourceError("the server ended the connection before it said anything")
        await self._publisher.flush(stop)
        # Servers end connections now and then. One that soon ends every one of them is no source that is well.
        if time.monotonic() - began < SETTLED_S:
            self._failures += 1
        backoff: float = min(RECONNECT_S * 2 ** min(self._failures, 12), MAX_RECONNECT_S)
        return backoff * random.uniform(0.9, 1.1)

    async def _succeeded(self) -> None:
        self._failures = 0
        async with self._database.write() as connection:
            raised = await sources.succeeded(
                connection, self._source.name, interval_s=self._source.interval, endpoints=self._endpoints
            )
        await self._signal(raised)

    async def _failed(self, error: str, retry_after: float | None, *, permanent: bool) -> float | None:
        now = time.monotonic()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        telemetry.source_errors.labels(self._source.name).inc()
        is_stream = isinstance(self._collector, Streamer)
        down = self._failures >= DOWN_AFTER and (not is_stream or now - self._failing_since >= STREAM_PATIENCE_S)
        state: SourceState = "off" if permanent else "down" if down else "failing"
        self._log.warning("source failed", error=error, state=state, failures=self._failures)
        async with self._database.write() as connection:
            raised = await sources.failed(connection, self._source.name, error, state, endpoints=self._endpoints)
        await self._signal(raised)
        if permanent:
            return None
        first, longest = (RECONNECT_S, MAX_RECONNECT_S) if is_stream else (self._source.interval, MAX_BACKOFF_S)
        backoff: float = min(first * 2 ** min(self._failures - 1, 12), longest)
        return max(backoff * random.uniform(0.9, 1.1), retry_after or 0)

    async def _signal(self, raised: Sequence[int]) -> None:
        await self._stream.signal(*(Signal(kind="alert", id=public_id("a", number)) for number in raised))

    async def _keep_refilling(self, collector: object, stop: asyncio.Event) -> None:
        """Looks for gaps that can be refilled: when one was noted, and now and then."""
        while isinstance(collector, Refills) and not stop.is_set():
            try:
                async with self._database.read() as connection:
                    gaps = await coverage.open_gaps(connection, self._source.name, now_ms())
                for gap in gaps:
                    await self._refill(collector, gap, stop)
            except StoppedError:
                return
            except (StreamUnavailable, StoreUnavailable) as error:
                self._log.warning("gaps wait for a server", error=str(error))
            except Exception:
                self._log.exception("looking for gaps failed")
            self._publisher.gap_noted.clear()
            async with either(stop, self._publisher.gap_noted) as woken:
                await pause(woken, REFILL_EVERY_S)

    async def _refill(self, collector: Refills, gap: OpenGap, stop: asyncio.Event) -> None:
        lost: list[Gap] = []
        asked = Gap(cause=gap.cause, since=gap.since, until=gap.until, ticket=gap.ticket)
        try:
            async with aclosing(collector.refill(asked)) as batches:
                while (batch := await next_batch(batches, stop)) is not None:
                    lost += [batch.gap] if batch.gap is not None else []
                    whole = msgspec.structs.replace(batch, cursor=None, gap=None, covered=None)
                    await self._publisher.take(whole, stop, until=gap.until)
        except (StreamUnavailable, StoreUnavailable, StoppedError):
            raise
        except Exception as error:
            if not isinstance(error, SourceError):
                self._log.exception("unexpected error in a collector's refill")
            for_good = isinstance(error, SourceError) and error.permanent
            async with self._database.write() as connection:
                state = await coverage.not_refilled(connection, gap, str(error), now_ms(), for_good=for_good)
            self._log.warning("gap not refilled", cause=gap.cause, error=str(error), state=state)
            return
        await self._publisher.flush(stop)
        async with self._database.write() as connection:
            await coverage.refilled(connection, self._source.name, gap)
            for part in lost:
                end = gap.until if part.until is None else part.until
                await coverage.note_gap(connection, self._source.name, part.since or gap.since, end, part.cause)
        self._log.info("gap refilled", cause=gap.cause, parts_lost=len(lost))

    async def _keep_verifying(self, collector: object, stop: asyncio.Event) -> None:
        """Looks now and then whether posts are still there, where the platform does not tell."""
        while isinstance(collector, Verifies) and self._duty.verify and not stop.is_set():
            await pause(stop, VERIFY_EVERY_S)
            try:
                eraser = self._publisher.eraser
                # Dropped at a stop: what was not noted as looked for is looked for again.
                await until(stop, verify(self._source.name, collector, self._database, eraser, self._duty))
            except (SourceError, StreamUnavailable, StoreUnavailable) as error:
                self._log.warning("posts could not be looked for again, it is tried later", error=str(error))
            except Exception:
                self._log.exception("looking for posts again failed")
