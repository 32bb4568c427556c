"""Keeping a source watched: what it yields is published with its cursor, and how it goes is there to be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from monitor.collectors import run as run_module
from monitor.collectors.base import Batch, Gap, SourceError, Span
from monitor.collectors.run import DOWN_AFTER, SourceWatch
from monitor.intake import Intake
from monitor.pseudonyms import Pseudonyms
from monitor.settings import FeedSource
from monitor.store import Database, coverage, parse_filters, sources
from monitor.stream import Stream
from monitor.times import now_ms
from monitor.words import Coverage, Post, SourceStatus, decode_post
from tests import shipped
from tests.daemon_process import PATIENCE_S

DAY = 86_400_000
SOURCE = FeedSource(name="blog", kind="feed", url="http://127.0.0.1:9/rss", interval=2.0)


class Script:
    """A collector that yields what the test says, a poll at a time, and then stops the watch."""

    def __init__(self, *polls: list[Batch] | SourceError) -> None:
        self.stop = asyncio.Event()
        self.cursors: list[str | None] = []
        self.closed = False
        self._polls = list(polls)

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        self.cursors.append(cursor)
        now = self._polls.pop(0)
        try:
            if isinstance(now, SourceError):
                raise now
            for batch in now:
                yield batch
        finally:
            if not self._polls:
                self.stop.set()

    async def close(self) -> None:
        self.closed = True


def post(key: str, *, age_days: float | None = None, text: str = "Exosomes again.") -> Post:
    created = None if age_days is None else round(now_ms() - age_days * DAY)
    return Post(platform="clinic", id=key, text=text, created_at=created)


@pytest.fixture
async def watch(redis_url: str, database: Database) -> AsyncIterator[Callable[..., Any]]:
    """Watches the script to its end; gives the posts in the stream and the source as users read it."""
    stream = await Stream.open(redis_url)
    intake = Intake(stream, shipped.topic().keywords, Pseudonyms("none", b""))
    async with database.write() as connection:
        await sources.declare(connection, {"blog": "feed"})

    async def run(script: Script) -> tuple[list[Post], SourceStatus]:
        hasty = SOURCE.model_copy(update={"interval": 0.001})  # no settings allow less than two seconds
        watch = SourceWatch(hasty, script, stream, intake, database, max_age_s=7 * 86_400)
        await asyncio.wait_for(watch.run(script.stop), PATIENCE_S)
        reader = stream.reader("test")
        try:
            posts = [decode_post(entry.data) for entry in await reader.read(100, 0.05)]
        finally:
            await reader.close()
        async with database.read() as connection:
            (status,) = (await sources.page(connection, parse_filters({}))).items
        return posts, status

    yield run
    await stream.close()


async def test_posts_are_published_and_the_next_poll_begins_where_the_last_one_ended(watch: Callable[..., Any]) -> None:
    off_topic = post("2", text="Bread.")
    script = Script(
        [Batch(posts=[post("1"), off_topic], cursor="a"), Batch(posts=[], cursor="b")], [Batch(posts=[post("1")], cursor="c")]
    )
    posts, status = await watch(script)
    assert [one.id for one in posts] == ["1"], "once, and not the one about bread"
    assert script.cursors == [None, "b"]
    assert (status.state, status.heard, status.last_error, status.gaps) == ("ok", 3, None, ())
    assert script.closed


async def test_what_a_catch_up_finds_beyond_max_age_is_kept_and_not_fresh(watch: Callable[..., Any]) -> None:
    posts, status = await watch(
        Script([Batch(posts=[post("old", age_days=8), post("new", age_days=6), post("undated")], cursor="a")])
    )
    assert {one.id: one.fresh for one in posts} == {"old": False, "new": True, "undated": True}
    assert status.lag_s == pytest.approx(6 * 86_400, abs=60)


async def test_a_possible_gap_stands_with_the_source(watch: Callable[..., Any]) -> None:
    gaps = [Batch(posts=[], cursor=str(n), gap=Gap(cause=f"number {n}")) for n in range(sources.GAPS_KEPT + 2)]
    _, status = await watch(Script(gaps))
    assert [gap.what for gap in status.gaps] == [f"number {n}" for n in range(2, sources.GAPS_KEPT + 2)], "the latest, in order"
    assert all(gap.at.endswith("Z") and gap.state == "lost" for gap in status.gaps)


async def test_a_source_that_fails_is_failing_then_down_then_ok_again(watch: Callable[..., Any]) -> None:
    trouble = SourceError("the feed answers 503")
    assert (await watch(Script(trouble)))[1].state == "failing"
    _, status = await watch(Script(*[trouble] * DOWN_AFTER))
    assert (status.state, status.last_error) == ("down", "the feed answers 503")
    assert (await watch(Script(trouble, [Batch(posts=[], cursor="a")])))[1].state == "ok"


async def test_a_source_that_is_gone_is_off_and_not_asked_again(watch: Callable[..., Any]) -> None:
    script = Script(SourceError("the feed is gone (410)", permanent=True), [Batch(posts=[], cursor="never")])
    _, status = await watch(script)
    assert (status.state, len(script.cursors), script.closed) == ("off", 1, True)


class Radio(Script):
    """A streamed collector: each connection says what the test says and then ends, fails, or stays silent (None)."""

    stall_s = 0.2

    async def stream(self, cursor: str | None) -> AsyncIterator[Batch]:
        self.cursors.append(cursor)
        now = self._polls.pop(0)
        if isinstance(now, SourceError):
            self._end()
            raise now
        for batch in now:
            if batch is None:
                await asyncio.Event().wait()
            yield batch
        self._end()

    def _end(self) -> None:
        if not self._polls:
            self.stop.set()

    poll = None  # type: ignore[assignment]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "RECONNECT_S", 0.001)


@pytest.mark.usefixtures("hasty")
async def test_a_stream_goes_on_from_its_cursor_when_the_server_ends_it(watch: Callable[..., Any]) -> None:
    radio = Radio([Batch(posts=[post("1")], cursor="a"), Batch(cursor="b")], [Batch(posts=[post("2")], cursor="c")])
    posts, status = await watch(radio)
    assert [one.id for one in posts] == ["1", "2"]
    assert radio.cursors == [None, "b"], "also where the last batch was only a sign of life"
    assert (status.state, status.heard) == ("ok", 2)


@pytest.mark.usefixtures("hasty")
async def test_a_connection_on_which_nothing_comes_is_given_up(watch: Callable[..., Any]) -> None:
    radio = Radio([Batch(posts=[post("1")], cursor="a"), None], [Batch(posts=[post("2")], cursor="b")])  # type: ignore[list-item]
    posts, status = await watch(radio)
    assert [one.id for one in posts] == ["1", "2"]
    assert radio.cursors == [None, "a"]
    assert "nothing came for 0.2 s" in (status.last_error or "")


async def ledger(database: Database) -> Coverage:
    async with database.read() as connection:
        found = await coverage.find(connection, "blog")
    assert found is not None
    return found


async def test_polls_that_end_well_are_covered_without_a_seam(watch: Callable[..., Any], database: Database) -> None:
    await watch(Script([Batch(posts=[post("1")], cursor="a")], [Batch(cursor="b")], SourceError("503"), [Batch(cursor="c")]))
    told = await ledger(database)
    (span,) = told.covered
    assert span.since < span.until == told.open_since
    assert told.gaps == ()


async def test_what_a_gap_missed_is_not_covered(watch: Callable[..., Any], database: Database) -> None:
    await watch(Script([Batch(cursor="a")], [Batch(cursor="b", gap=Gap(cause="moved on"))], [Batch(cursor="c", late=2)]))
    told = await ledger(database)
    (gap,) = told.gaps
    before, after = told.covered
    assert (before.until, gap.until, gap.what, gap.state) == (gap.since, after.since, "moved on", "lost")
    assert after.until == told.open_since
    assert (told.late, told.last_late is not None) == (2, True)


@pytest.mark.usefixtures("hasty")
async def test_of_a_stream_only_what_it_says_is_covered(watch: Callable[..., Any], database: Database) -> None:
    first = [Batch(cursor="a", covered=Span(since=1_000, until=5_000)), Batch(cursor="b", covered=Span(until=9_000))]
    later = [Batch(cursor="c", gap=Gap(cause="too old", until=20_000)), Batch(cursor="d", covered=Span(until=30_000))]
    await watch(Radio(first, later))
    told = await ledger(database)
    assert [(one.since[17:19], one.until[17:19]) for one in told.covered] == [("01", "09"), ("20", "30")]
    assert [(one.since[17:19], one.until[17:19]) for one in told.gaps] == [("09", "20")]


class Archive(Script):
    """A collector that can go back; `refills` are its answers, one for each time that it is asked. It is polled until then."""

    refills: list[list[Batch] | SourceError]
    asked: list[Gap]

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        self._polls.append([Batch(cursor="b")])
        async for batch in super().poll(cursor):
            yield batch

    async def refill(self, gap: Gap) -> AsyncIterator[Batch]:
        self.asked.append(gap)
        now = self.refills.pop(0)
        try:
            if isinstance(now, SourceError):
                raise now
            for batch in now:
                yield batch
        finally:
            self.stop.set()


async def test_a_gap_that_can_be_refilled_is(watch: Callable[..., Any], database: Database) -> None:
    missing = Gap(cause="moved on", since=1_000, until=9_000, ticket="page 7")
    script = Archive([Batch(posts=[post("1")], cursor="a", gap=missing)])
    script.asked = []
    script.refills = [[Batch(posts=[post("2")]), Batch(posts=[post("3")], gap=Gap(cause="page 8 is gone", since=8_000))]]
    posts, _ = await watch(script)
    assert {one.id for one in posts} == {"1", "2", "3"}
    assert [(gap.since, gap.until, gap.ticket) for gap in script.asked] == [(1_000, 9_000, "page 7")]
    told = await ledger(database)
    assert {(gap.what, gap.state) for gap in told.gaps} == {("moved on", "refilled"), ("page 8 is gone", "lost")}
    assert (told.covered[0].since[17:19], told.covered[0].until[17:19]) == ("01", "08")


async def test_a_gap_that_cannot_be_refilled_is_lost(watch: Callable[..., Any], database: Database) -> None:
    missing = Gap(cause="moved on", since=1_000, until=9_000, ticket="page 7")
    script = Archive([Batch(cursor="a", gap=missing)])
    script.asked, script.refills = [], [SourceError("the archive is closed", permanent=True)]
    await watch(script)
    (gap,) = (await ledger(database)).gaps
    assert (gap.state, gap.what) == ("lost", "moved on; it could not be refilled: the archive is closed")
