"""Keeping a source watched: what it yields is published with its cursor, and how it goes is there to be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from monitor.collectors.base import Batch, SourceError
from monitor.collectors.run import DOWN_AFTER, SourceWatch
from monitor.intake import Intake, Pseudonyms
from monitor.settings import FeedSource, load
from monitor.store import Database, parse_filters, sources
from monitor.stream import Stream
from monitor.topic import load_topic
from monitor.words import Post, SourceStatus, decode_post, now_ms

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
    intake = Intake(stream, load_topic(load().topic_folder).keywords, Pseudonyms("none", b""))
    async with database.write() as connection:
        await sources.declare(connection, {"blog": "feed"})

    async def run(script: Script) -> tuple[list[Post], SourceStatus]:
        hasty = SOURCE.model_copy(update={"interval": 0.001})  # no settings allow less than two seconds
        watch = SourceWatch(hasty, script, stream, intake, database, max_age_s=7 * 86_400)
        await asyncio.wait_for(watch.run(script.stop), 30)
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
    gaps = [Batch(posts=[], cursor=str(n), gap=f"possible gap: number {n}") for n in range(sources.GAPS_KEPT + 2)]
    _, status = await watch(Script(gaps))
    assert [gap["what"] for gap in status.gaps] == [batch.gap for batch in gaps[2:]], "the latest, in order"
    assert all(gap["at"].endswith("Z") for gap in status.gaps)


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
