"""The journey of a batch of mentions: read, judge, record, acknowledge.

An entry is acknowledged only after its transaction is committed, so whatever is killed in between repeats the entry; the record
knows what it has already (`monitor.store.record`), so a repeat changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from monitor import telemetry, tracing
from monitor.ids import public_id
from monitor.pause import pause
from monitor.settings import Settings
from monitor.store import Database, StoreUnavailable, record
from monitor.store.judged import Judged
from monitor.store.record import Recorded
from monitor.stream import CLAIM_AFTER_S, Entry, Reader, Signal, Stream, StreamUnavailable
from monitor.topic import Watchlist
from monitor.watchdog import STALLED_AFTER_S, Pulse
from monitor.words import Post, decode_post
from workers.alert import drafts
from workers.reader import Given, PostReader, Weighed

log = structlog.get_logger()

WAIT_S = 1.0
RENEW_EVERY_S = 5.0  # how often entries whose judgement takes long are said to be in hand; and the wait for them at a stop
TROUBLE_S = 1.0  # pause while Redis or the database is away


class Worker:
    """One worker: takes entries from one partition of the stream until it is told to stop."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        database: Database,
        posts: PostReader,
        settings: Settings,
        partition: int = 0,
        claim_after_s: float = CLAIM_AFTER_S,
        *,
        watchlist: Watchlist | None = None,
        stalled_after_s: float = STALLED_AFTER_S,
    ) -> None:
        self._reader: Reader = stream.reader(name, partition, claim_after_s=claim_after_s)
        self._stream = stream
        self._database = database
        self._posts = posts
        self._settings = settings
        self._watchlist = watchlist or Watchlist()
        # One post may ask a model for as long as the settings let it.
        self._pulse = Pulse(f"work {partition}", stalled_after_s + settings.classifier.timeout)
        self._renew_every_s = min(RENEW_EVERY_S, claim_after_s / 3)
        self._log = log.bind(worker=name)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; the batch in hand is finished first. A server that is away is waited for."""
        try:
            with self._pulse:
                await self._run(stop)
        finally:
            await self._reader.close()

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            _end_if_cancelled()
            self._pulse.beat()
            try:
                entries = await self._reader.read(self._posts.batch, WAIT_S)
                telemetry.retried_entries.inc(sum(entry.deliveries > 1 for entry in entries))
                if entries:
                    with tracing.span("work", worker=self._reader.consumer, posts=len(entries)):
                        await self._work(entries, stop)
            except StreamUnavailable as error:
                # What was recorded and not acknowledged comes again, and the record knows it.
                self._log.warning("waiting for Redis", error=str(error))
                await pause(stop, TROUBLE_S)

    async def _work(self, entries: list[Entry], stop: asyncio.Event) -> None:
        outcome = await self._judged(entries, stop)
        if outcome is None:
            await self._reader.hand_back(entries)
            return
        judged, failed = outcome
        while True:
            try:
                changes, not_recorded = await self._record(judged)
                break
            except StoreUnavailable as error:
                _end_if_cancelled()
                # Nothing is wrong with these entries: they stay in hand, without ageing, until the database is back.
                self._log.warning("waiting for the database", error=str(error))
                self._pulse.beat()
                await pause(stop, TROUBLE_S)
                if stop.is_set():
                    await self._reader.hand_back(entries)
                    return
                await self._reader.renew(entries)
        failed |= not_recorded
        await self._reader.settle([entry for entry in entries if entry.id not in failed], failed)
        telemetry.failed_entries.inc(len(failed))
        await self._tell(changes)

    async def _judged(self, entries: list[Entry], stop: asyncio.Event) -> tuple[dict[str, Judged], dict[str, str]] | None:
        """As `_judge_all`, and keeps the entries in hand meanwhile; None where it is to stop before they are judged."""
        judging = asyncio.ensure_future(self._judge_all(entries))
        try:
            while True:
                done, _ = await asyncio.wait({judging}, timeout=self._renew_every_s)
                if done:
                    return judging.result()
                if stop.is_set():
                    return None
                await self._reader.renew(entries)
        finally:
            if not judging.done():
                judging.cancel()
                await asyncio.gather(judging, return_exceptions=True)

    async def _judge_all(self, entries: Sequence[Entry]) -> tuple[dict[str, Judged], dict[str, str]]:
        """Judgements by entry id, and the errors of entries that cannot be judged."""
        heard: dict[str, Post] = {}
        failed: dict[str, str] = {}
        for entry in entries:
            try:
                heard[entry.id] = decode_post(entry.data)
            except Exception as error:
                self._failed(entry, error, failed)
        known = [entry for entry in entries if entry.id in heard]
        given = [
            Given(public_id("m", one.number), heard[one.id].text, heard[one.id].lang, tracing.mark(heard[one.id]))
            for one in known
        ]
        outcomes = await self._posts.weigh(given)
        watched = await asyncio.to_thread(lambda: [self._watchlist.find(heard[one.id].text) for one in known])
        judged = {}
        for entry, outcome, watch in zip(known, outcomes, watched, strict=True):
            try:
                judged[entry.id] = self._as_judged(entry, heard[entry.id], outcome, watch)
            except Exception as error:
                self._failed(entry, error, failed)
        return judged, failed

    def _failed(self, entry: Entry, error: Exception, failed: dict[str, str]) -> None:
        failed[entry.id] = f"{type(error).__name__}: {error}"
        self._log.error("entry could not be judged", entry=entry.id, error=failed[entry.id])

    def _as_judged(self, entry: Entry, post: Post, outcome: Weighed | Exception, watch: tuple[str, ...]) -> Judged:
        if isinstance(outcome, Exception):
            raise outcome
        judgement, number = outcome.judgement, entry.number
        heard = f"{post.platform}:{post.id}"
        self._log.debug("mention judged", mention=judgement.id, post=heard, claims=len(judgement.claims), alert=judgement.alert)
        settings = self._settings
        asks = partial(drafts, post=post, alerts=settings.alerts, endpoints=settings.endpoint, watch=watch)
        return Judged(
            number=number,
            seen_ms=number >> 21,
            post=post,
            judgement=judgement,
            origins=outcome.origins,
            alerts=asks(judgement),
            asks=asks,
            watch=watch,
        )

    async def _record(self, judged: dict[str, Judged]) -> tuple[Recorded, dict[str, str]]:
        """Writes the batch; where that fails, its entries one by one, so that only the culprit ages."""
        try:
            return await self._commit(list(judged.values())), {}
        except StoreUnavailable:
            raise
        except Exception as error:
            self._log.warning("batch could not be recorded, trying its entries one by one", error=str(error))
        changes, failed = record.NOTHING, {}
        for entry_id, one in judged.items():
            try:
                changes += await self._commit([one])
            except StoreUnavailable:
                raise
            except Exception as error:
                failed[entry_id] = f"{type(error).__name__}: {error}"
                self._log.error("entry could not be recorded", entry=entry_id, error=failed[entry_id])
        return changes, failed

    async def _commit(self, batch: list[Judged]) -> Recorded:
        began_ns = tracing.now_ns()
        changes = await record.put(self._database, batch)
        tracing.steps("record", [tracing.mark(one.post) for one in batch] if tracing.on() else (), began_ns)
        telemetry.stored.labels("new").inc(len(changes.stored))
        telemetry.stored.labels("edited").inc(len(changes.edited))
        telemetry.stored.labels("known").inc(changes.known)
        telemetry.alerted.inc(len(changes.alerts))
        self._log.debug(
            "mentions recorded",
            stored=[public_id("m", number) for number in changes.stored],
            edited=[public_id("m", number) for number in changes.edited],
            known=changes.known,
        )
        return changes

    async def _tell(self, changes: Recorded) -> None:
        """Wakes senders and live pages. They look for themselves now and then, so a lost signal delays and loses nothing."""
        signals = [Signal(kind="alert", id=public_id("a", number)) for number in changes.alerts]
        signals += [Signal(kind="mention", id=public_id("m", number)) for number in (*changes.stored, *changes.edited)]
        for number, mention in changes.alerts.items():
            self._log.info("alert raised", alert=public_id("a", number), mention=mention and public_id("m", mention))
        if signals:
            await self._stream.signal(*signals)


def _end_if_cancelled() -> None:
    """Ends a task that was told to: a client that was cancelled while it connected may have made an error of its own of that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
