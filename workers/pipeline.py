"""The journey of a batch of mentions: read, judge, record, acknowledge.

An entry is acknowledged only after its transaction is committed, so whatever is killed in between repeats the entry; the record
knows what it has already (`monitor.store.record`), so a repeat changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from monitor import telemetry
from monitor.pause import pause
from monitor.settings import Settings
from monitor.store import Database, StoreUnavailable, record
from monitor.store.record import Judged, Recorded
from monitor.stream import CLAIM_AFTER_S, Entry, Reader, Signal, Stream, StreamUnavailable
from monitor.words import decode_post, public_id
from workers.alert import drafts
from workers.judgement import Judge

log = structlog.get_logger()

BATCH = 100  # entries at a time: enough to share a transaction's cost, few enough to be quick after a crash
WAIT_S = 1.0
TROUBLE_S = 1.0  # pause while Redis or the database is away


class Worker:
    """One worker: takes entries from one partition of the stream until it is told to stop."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        database: Database,
        judge: Judge,
        settings: Settings,
        partition: int = 0,
        claim_after_s: float = CLAIM_AFTER_S,
    ) -> None:
        self._reader: Reader = stream.reader(name, partition, claim_after_s=claim_after_s)
        self._stream = stream
        self._database = database
        self._judge = judge
        self._settings = settings
        self._log = log.bind(worker=name)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; the batch in hand is finished first. A server that is away is waited for."""
        try:
            while not stop.is_set():
                try:
                    entries = await self._reader.read(BATCH, WAIT_S)
                    telemetry.retried_entries.inc(sum(entry.deliveries > 1 for entry in entries))
                    if entries:
                        await self._work(entries, stop)
                except StreamUnavailable as error:
                    # What was recorded and not acknowledged comes again, and the record knows it.
                    self._log.warning("waiting for Redis", error=str(error))
                    await pause(stop, TROUBLE_S)
        finally:
            await self._reader.close()

    async def _work(self, entries: list[Entry], stop: asyncio.Event) -> None:
        judged, failed = await asyncio.to_thread(self._judge_all, entries)
        while True:
            try:
                changes, not_recorded = await self._record(judged)
                break
            except StoreUnavailable as error:
                # Nothing is wrong with these entries: they stay in hand, without ageing, until the database is back.
                self._log.warning("waiting for the database", error=str(error))
                await pause(stop, TROUBLE_S)
                if stop.is_set():
                    await self._reader.hand_back(entries)
                    return
                await self._reader.renew(entries)
        failed |= not_recorded
        await self._reader.settle([entry for entry in entries if entry.id not in failed], failed)
        telemetry.failed_entries.inc(len(failed))
        await self._tell(changes)

    def _judge_all(self, entries: Sequence[Entry]) -> tuple[dict[str, Judged], dict[str, str]]:
        """Judgements by entry id, and the errors of entries that cannot be judged. Pure computing: it runs in a thread."""
        judged, failed = {}, {}
        for entry in entries:
            try:
                judged[entry.id] = self._judge_one(entry)
            except Exception as error:
                failed[entry.id] = f"{type(error).__name__}: {error}"
                self._log.error("entry could not be judged", entry=entry.id, error=failed[entry.id])
        return judged, failed

    def _judge_one(self, entry: Entry) -> Judged:
        post = decode_post(entry.data)
        number = entry.number
        started = time.perf_counter()
        judgement, entries = self._judge.weigh(public_id("m", number), post.text, post.lang)
        telemetry.classify_seconds.observe(time.perf_counter() - started)
        telemetry.classified.inc()
        heard = f"{post.platform}:{post.id}"
        self._log.debug("mention judged", mention=judgement.id, post=heard, claims=len(judgement.claims), alert=judgement.alert)
        alerts = drafts(judgement, post, self._settings.alerts, self._settings.endpoint)
        return Judged(number=number, seen_ms=number >> 21, post=post, judgement=judgement, entries=entries, alerts=alerts)

    async def _record(self, judged: dict[str, Judged]) -> tuple[Recorded, dict[str, str]]:
        """Writes the batch in one transaction; where that fails, one by one, so that only the culprit ages."""
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
        async with self._database.write() as connection:
            changes = await record.record(connection, batch)
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
