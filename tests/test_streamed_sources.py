"""Streamed platforms through the runner, Redis and the record: stopped and started again, deleted, silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from monitor.collectors import run as run_module
from monitor.collectors.base import Streamer
from monitor.collectors.bluesky import BlueskyCollector
from monitor.collectors.budget import Budgets
from monitor.collectors.mastodon import MastodonStream
from monitor.collectors.run import SourceWatch
from monitor.intake import Intake
from monitor.pseudonyms import Pseudonyms
from monitor.settings import Settings, load
from monitor.settings.sources import SourceSection
from monitor.settings.sources.bluesky import BlueskySource
from monitor.settings.sources.mastodon import MastodonSource
from monitor.store import Database, coverage, sources
from monitor.stream import Stream
from monitor.topic import load_topic
from monitor.words import Coverage, Post, SourceStatus, decode_post
from tests.servers import RedisServer
from tests.standins.jetstream import Jetstream, account, commit, cut
from tests.standins.listening import soon
from tests.standins.mastodon_server import TOKEN, MastodonServer
from tests.streaming import MENTIONS

TEXT = "These exosomes gave me a glow"


class Desk:
    """A stream, a record, and what a source's watch needs besides."""

    def __init__(self, stream: Stream, database: Database) -> None:
        self.stream = stream
        self.database = database
        self._intake = Intake(stream, load_topic(load().topic_folder).keywords, Pseudonyms("pseudonym", b"k" * 64))

    @asynccontextmanager
    async def watching(self, source: SourceSection, collector: Streamer) -> AsyncIterator[None]:
        """The source, watched meanwhile."""
        async with self.database.write() as connection:
            await sources.declare(connection, {source.name: source.kind})
        stop = asyncio.Event()
        watch = SourceWatch(source, collector, self.stream, self._intake, self.database, max_age_s=1e9)
        running = asyncio.create_task(watch.run(stop))
        try:
            yield
        finally:
            stop.set()
            await running

    async def posts(self) -> list[Post]:
        """What is in the stream."""
        entries = await self.stream._link.run("XRANGE", MENTIONS, "-", "+")
        return [decode_post(next(value for value in fields.values() if value[:1] == b"{")) for _, fields in map(_entry, entries)]

    async def status(self) -> SourceStatus:
        async with self.database.read() as connection:
            (status,) = await sources.listing(connection)
        return status

    async def ledger(self, name: str) -> Coverage:
        async with self.database.read() as connection:
            found = await coverage.find(connection, name)
        assert found is not None
        return found

    async def until(self, said: Callable[[list[Post]], bool]) -> list[Post]:
        """The posts in the stream, once that is true of them."""
        async with asyncio.timeout(120):
            while not said(posts := await self.posts()):
                await asyncio.sleep(0.02)
        return posts


def _entry(raw: object) -> tuple[bytes, dict[bytes, bytes]]:
    id_, fields = raw  # type: ignore[misc]
    return id_, fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))


@pytest.fixture
async def desk(redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(run_module, "RECONNECT_S", 0.01)
    stream = await Stream.open(redis_server.url)
    database = Database(Settings(store={"url": f"sqlite:///{tmp_path}/store.sqlite"}).sqlalchemy_url)
    await database.migrate()
    yield Desk(stream, database)
    await stream.close()
    await database.close()


async def test_bluesky_is_heard_through_stops_cuts_and_deletions(desk: Desk) -> None:
    async with Jetstream() as server:
        source = BlueskySource(name="sky", kind="bluesky", base_url=server.origin)
        server.faults = {1: (2, cut)}
        async with desk.watching(source, BlueskyCollector(source, Budgets())):
            await soon(lambda: len(server.asked) == 1)
            await server.say(
                commit("did:plc:a", "1", f"{TEXT} 1"), commit("did:plc:b", "1", "off topic"), commit("did:plc:c", "1", TEXT)
            )
            await desk.until(lambda posts: len(posts) == 2)
        server.add(*(commit("did:plc:d", str(n), f"{TEXT} {n}") for n in range(20)), commit("did:plc:a", "1"))
        server.add(account("did:plc:c", "deleted"), commit("did:plc:e", "9", f"{TEXT}, the end"))
        async with desk.watching(source, BlueskyCollector(source, Budgets())):
            posts = await desk.until(lambda posts: len(posts) == 21)
        assert {post.text for post in posts} == {f"{TEXT} {n}" for n in range(20)} | {f"{TEXT}, the end"}, (
            "the deleted ones are gone"
        )
        assert len({post.id for post in posts}) == len(posts) == 21, "and none is there twice"
        assert all(post.author and "did:" not in post.author for post in posts)
        status, ledger = await desk.status(), await desk.ledger("sky")
        assert (status.state, ledger.gaps) == ("ok", ())
        assert len(ledger.covered) == 1, "without a seam"


async def test_a_jetstream_that_falls_silent_is_left_for_a_new_connection(desk: Desk) -> None:
    async with Jetstream() as server:
        source = BlueskySource(name="sky", kind="bluesky", base_url=server.origin)

        async def hang(_: object) -> None:
            await asyncio.Event().wait()

        server.faults = {0: (1, hang)}
        async with desk.watching(source, BlueskyCollector(source, Budgets(), stall_s=1.0)):
            await soon(lambda: len(server.asked) == 1)
            await server.say(commit("did:plc:a", "1", f"{TEXT} 1"), commit("did:plc:a", "2", f"{TEXT} 2"))
            posts = await desk.until(lambda posts: len(posts) == 2)
        assert sorted(post.text for post in posts) == [f"{TEXT} 1", f"{TEXT} 2"]
        assert "nothing came for 1 s" in ((await desk.status()).last_error or "")


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_mastodon_is_heard_at_once_and_what_is_deleted_leaves(desk: Desk, transport: str) -> None:
    async with MastodonServer() as server:
        host = server.origin.removeprefix("http://")
        settings = {"servers": [server.origin], "hashtags": ["glow"], "access_tokens": {host: TOKEN}, "transport": transport}
        source = MastodonSource(name="m", kind="mastodon", **settings)
        async with desk.watching(source, MastodonStream(source, Budgets())):
            await soon(lambda: len(server.listening) == 1)
            one = server.post(f"{TEXT} 1")
            server.post("off topic")
            two = server.post(f"{TEXT} 2")
            await desk.until(lambda posts: len(posts) == 2)
            server.delete(one)
            (left,) = await desk.until(lambda posts: len(posts) == 1)
            assert (left.id, left.text) == (two["uri"], f"{TEXT} 2")
        server.listening.clear()
        server.post(f"{TEXT} 3")
        async with desk.watching(source, MastodonStream(source, Budgets())):
            posts = await desk.until(lambda posts: len(posts) == 2)
        assert [post.text for post in posts] == [f"{TEXT} 2", f"{TEXT} 3"]
        assert (await desk.status()).state == "ok"
        assert (await desk.ledger("m")).gaps == ()
