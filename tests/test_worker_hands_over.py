"""What a worker does with its entries: hands them on by public id, keeps them in hand meanwhile, lets go at a stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from monitor import telemetry, tracing, watchdog, words
from monitor.settings import Settings, Telemetry
from monitor.store import Database, alerts, mentions, parse_filters
from monitor.stream import Item, Stream
from monitor.topic.watchlist import Watched, Watchlist
from monitor.words import Post
from tests import shipped
from tests.one_database import store_url
from tests.standins.otlp_receiver import OtlpReceiver
from tests.test_pipeline import TEXT, done, item, posts, rivals, stored
from workers.judgement import Judge
from workers.pipeline import Worker
from workers.reader import Given, LocalReader, Weighed

__all__ = ["rivals", "store_url"]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return shipped.judge()


class Witness(LocalReader):
    """The local reader, which keeps what it was given; it waits until it may go on, and some posts are too much for it."""

    def __init__(self, judge: Judge, *, held: bool = False, batch: int = 100) -> None:
        super().__init__(judge)
        self.batch = batch
        self.given: list[list[Given]] = []
        self.given_up = 0
        self.may = asyncio.Event()
        if not held:
            self.may.set()

    async def weigh(self, posts: Sequence[Given]) -> list[Weighed | Exception]:
        self.given.append(list(posts))
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        outcomes = await super().weigh(posts)
        return [self._outcome(post.text, outcome) for post, outcome in zip(posts, outcomes, strict=True)]

    def _outcome(self, text: str, outcome: Weighed | Exception) -> Weighed | Exception:
        if "unreadable" in text:
            return ValueError("too much for me")
        if "unrecordable" in text and isinstance(outcome, Weighed):
            judgement = outcome.judgement  # a place that no column takes
            far = tuple(msgspec.structs.replace(one, start=2**70) for one in judgement.claims)
            return msgspec.structs.replace(outcome, judgement=msgspec.structs.replace(judgement, claims=far))
        return outcome

    @property
    def texts(self) -> list[str]:
        return [one.text for batch in self.given for one in batch]


@asynccontextmanager
async def working(
    stream: Stream, database: Database, reader: LocalReader, name: str = "worker-0", **more: Any
) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(name, stream, database, reader, Settings(), **more).run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def until(what: Any) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.01)


async def recorded(database: Database) -> tuple[dict[str, words.Mention], list[str]]:
    """Mentions by the platform's ids, and the alerts' ids."""
    async with database.read() as connection:
        heard = (await mentions.page(connection, parse_filters({"limit": ["500"]}))).items
        told = (await alerts.page(connection, parse_filters({}))).items
    return {one.platform_id: one for one in heard}, [one.id for one in told]


def metric(name: str, **labels: str) -> float:
    return telemetry.registry.get_sample_value(name, labels) or 0.0


def metrics() -> dict[str, float]:
    changes = {change: metric("exowatch_mentions_stored_total", change=change) for change in ("new", "edited", "known")}
    others = ("exowatch_alerts_raised_total", "exowatch_entries_failed_total", "exowatch_entries_retried_total")
    return changes | {name.split("_", 1)[1]: metric(name) for name in others}


def risen(before: dict[str, float]) -> dict[str, float]:
    return {name: now - before[name] for name, now in metrics().items() if now != before[name]}


async def test_a_reader_is_given_the_public_id_the_words_and_the_platforms_language(
    stream: Stream, database: Database, judge: Judge
) -> None:
    reader = Witness(judge, batch=3)
    new = [Post(platform="forum", id=f"p{n}", text=f"{TEXT} ({n})", lang="pt-BR" if n else None) for n in range(7)]
    await stream.publish([item(post) for post in new])
    async with working(stream, database, reader):
        await done(stream)
    heard, _ = await recorded(database)
    assert [len(batch) for batch in reader.given] == [3, 3, 1], "as many at a time as the reader likes best"
    assert [one for batch in reader.given for one in batch] == [Given(heard[post.id].id, post.text, post.lang) for post in new]
    assert {one.language for key, one in heard.items() if key != "p0"} == {"pt"}


async def test_signals_name_new_alerts_and_new_or_edited_mentions(stream: Stream, database: Database, judge: Judge) -> None:
    position = await stream.signal_position()
    tail = stream.signals(position)
    async with working(stream, database, LocalReader(judge)):
        await stream.publish([item(post) for post in posts(2)])
        await done(stream)
        first = [await anext(tail) for _ in range(3)]
        heard, told = await recorded(database)
        await stream.publish([item(Post(platform="forum", id="p0", text=f"{TEXT} Edited.", author="a0"))])
        await done(stream)
        edited = await anext(tail)
    await tail.aclose()
    assert {(one.kind, one.id) for one in first} == {("mention", heard["p0"].id), ("mention", heard["p1"].id), ("alert", told[0])}
    assert (edited.kind, edited.id) == ("mention", heard["p0"].id)


async def test_metrics_count_what_was_recorded(stream: Stream, database: Database, judge: Judge) -> None:
    before = metrics()
    async with working(stream, database, LocalReader(judge)):
        await stream.publish([item(post) for post in posts(3)])
        await done(stream)
        await stream.publish([item(Post(platform="forum", id="p0", text=f"{TEXT} Edited.", author="a0"))])
        await stream.publish([Item("again", words.encode(posts(2)[1]))])
        await done(stream)
    assert risen(before) == {"new": 3, "edited": 1, "known": 1, "alerts_raised_total": 1}


async def test_the_log_leads_from_a_post_to_its_mention_and_to_its_alert(
    stream: Stream, database: Database, judge: Judge
) -> None:
    with capture_logs() as logs:
        async with working(stream, database, LocalReader(judge), "worker-7"):
            await stream.publish([item(posts(1)[0])])
            await done(stream)
            await stream.publish([item(Post(platform="forum", id="p0", text="Exosomes, edited.", author="a0"))])
            await done(stream)
    heard, (told,) = await recorded(database)
    mention = heard["p0"].id
    assert {one["worker"] for one in logs if "worker" in one} == {"worker-7"}
    lines = [{key: value for key, value in one.items() if key not in ("event", "worker", "log_level")} for one in logs]
    assert {"mention": mention, "post": "forum:p0", "claims": 1, "alert": True} in lines
    assert ("forum:p0", 0, False) in [(one.get("post"), one.get("claims"), one.get("alert")) for one in logs]
    assert {"alert": told, "mention": mention} in lines
    assert {"stored": [mention], "edited": [], "known": 0} in lines
    assert {"stored": [], "edited": [mention], "known": 0} in lines


@pytest.mark.parametrize(("word", "error"), [("unreadable", "ValueError: too much for me"), ("unrecordable", "")])
async def test_an_entry_that_fails_ages_alone_and_says_why(
    stream: Stream, database: Database, judge: Judge, word: str, error: str
) -> None:
    before = metrics()
    bad = Post(platform="forum", id="bad", text=f"{TEXT} It is {word}.")
    await stream.publish([*(item(post) for post in posts(2)), item(bad), *(item(post) for post in posts(2, "q"))])
    position = await stream.signal_position()
    tail = stream.signals(position)
    with capture_logs() as logs:
        async with working(stream, database, Witness(judge), claim_after_s=0.05):
            await done(stream)
            woken = {(await anext(tail)).id for _ in range(5)}
    await tail.aclose()
    (dead,) = await stream.dead()
    assert (dead.data, dead.deliveries) == (words.encode(bad), 5)
    assert str(dead.error).startswith(error)
    heard, told = await recorded(database)
    assert heard.keys() == {"p0", "p1", "q0", "q1"}
    assert woken == {one.id for one in heard.values()} | set(told), "what is recorded beside it wakes those who wait for it"
    counted = risen(before)
    assert (counted["new"], counted["entries_failed_total"], counted["entries_retried_total"]) == (4, 5, 4)
    errors = [one for one in logs if one["log_level"] == "error" and "worker" in one]
    assert len(errors) == 5
    assert {one["error"] for one in errors} == {dead.error}
    assert len({one["entry"] for one in errors}) == 1


async def test_what_cannot_be_decoded_ages_beside_what_cannot_be_read(stream: Stream, database: Database, judge: Judge) -> None:
    bad = Post(platform="forum", id="bad", text=f"{TEXT} It is unrecordable.")
    await stream.publish([Item("odd", b"{}"), item(bad), *(item(post) for post in posts(2))])
    async with working(stream, database, Witness(judge), claim_after_s=0.05):
        await done(stream)
    assert {one.data for one in await stream.dead()} == {b"{}", words.encode(bad)}
    assert sorted(await stored(database)) == ["p0", "p1"]


async def test_entries_that_take_long_stay_in_hand(stream: Stream, database: Database, judge: Judge) -> None:
    slow, other = Witness(judge, held=True), Witness(judge)
    await stream.publish([item(post) for post in posts(4)])
    async with working(stream, database, slow, claim_after_s=2):
        await until(lambda: slow.given)
        lost = stream.reader("worker-2")
        (late,) = posts(1, "late")
        await stream.publish([item(late)])
        assert len(await lost.read(1, 1)) == 1
        await lost.close()  # as one that was killed
        async with working(stream, database, other, "worker-1", claim_after_s=2):
            await until(lambda: late.text in other.texts)  # and what the slow one has was read before that
            slow.may.set()
            await done(stream)
    assert (len(slow.texts), len(other.texts)) == (4, 1), "nobody takes what somebody has in hand"


async def test_at_a_stop_what_is_not_judged_yet_goes_to_others_at_once(stream: Stream, database: Database, judge: Judge) -> None:
    slow, other, before = Witness(judge, held=True), Witness(judge), metrics()
    await stream.publish([item(post) for post in posts(4)])
    async with asyncio.timeout(10):
        async with working(stream, database, slow, claim_after_s=0.6):
            await until(lambda: slow.given)
        assert slow.given_up == 1, "and nobody judges it any more"
        async with working(stream, database, other, "worker-1", claim_after_s=60):
            await done(stream)
    assert len(other.texts) == 4
    assert risen(before)["new"] == 4
    assert "entries_retried_total" not in risen(before), "a delivery that was handed back does not count"


async def test_at_a_stop_while_the_database_is_away_entries_go_to_others_at_once(
    stream: Stream, rivals: tuple[Database, Database], judge: Judge
) -> None:
    database, other = rivals
    await stream.publish([item(post) for post in posts(3)])
    first, second, before = Witness(judge), Witness(judge), metrics()
    with capture_logs() as logs:
        async with other.write(), working(stream, database, first, claim_after_s=60):
            await until(lambda: len([one for one in logs if one["log_level"] == "warning"]) >= 2)
    async with working(stream, database, second, "worker-1", claim_after_s=60):
        await done(stream)
    assert len(second.texts) == 3
    assert risen(before)["new"] == 3
    assert "database is locked" in str([one.get("error") for one in logs])


async def test_a_worker_stands_still_only_past_what_one_post_may_ask_of_a_model(
    stream: Stream, database: Database, judge: Judge
) -> None:
    slow, stop = Witness(judge, held=True), asyncio.Event()
    settings = Settings(classifier={"timeout": 2})
    worker = Worker("worker-0", stream, database, slow, settings, stalled_after_s=0.5)
    await stream.publish([item(post) for post in posts(1)])
    async with watchdog.watched():
        running = asyncio.create_task(worker.run(stop))
        await until(lambda: slow.given)
        await until(watchdog.late)
        (late,) = watchdog.late()
        assert late.job == "work 0"
        assert late.silent_s > 2.5
        slow.may.set()
        await until(lambda: not watchdog.late())
        stop.set()
        await running


async def test_names_of_the_watchlist_are_found_in_each_post(stream: Stream, database: Database, judge: Judge) -> None:
    watchlist = Watchlist([Watched(name="Acme Labs", kind="brand"), Watched(name="Bemo", kind="brand")])
    new = [
        Post(platform="forum", id=key, text=f"{TEXT} {more}")
        for key, more in (("a", "Says Acme Labs."), ("b", "Hm."), ("c", "Bemo!"))
    ]
    await stream.publish([item(post) for post in new])
    async with working(stream, database, LocalReader(judge), watchlist=watchlist):
        await done(stream)
    heard, _ = await recorded(database)
    assert {key: tuple(one.watch) for key, one in heard.items()} == {"a": ("Acme Labs",), "b": (), "c": ("Bemo",)}


async def test_the_spans_of_a_batch(stream: Stream, database: Database, judge: Judge) -> None:
    async with OtlpReceiver() as otlp:
        spans = tracing.exporting(Telemetry(otlp=otlp.address), "worker")
        spans.__enter__()
        try:
            await stream.publish([item(post) for post in posts(2)])
            async with working(stream, database, LocalReader(judge)):
                await done(stream)
            marks = [tracing.mark(post) for post in posts(2)]
        finally:
            await asyncio.to_thread(spans.__exit__, None, None, None)
    (batch,) = otlp.named("work")
    assert (batch.attributes["exowatch.worker"], batch.attributes["exowatch.posts"]) == ("worker-0", 2)
    for name in ("weigh", "record"):
        assert {(one.trace, one.parent) for one in otlp.named(name)} == {
            (f"{mark.trace:032x}", f"{mark.parent:016x}") for mark in marks if mark
        }
        assert all(batch.began <= one.began <= one.ended for one in otlp.named(name))
