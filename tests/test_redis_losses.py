"""Redis loses something that was published: the source is read again from before it, whatever the collector has in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from monitor.collectors import run as run_module
from monitor.collectors.bluesky import BlueskyCollector
from monitor.collectors.budget import Budgets
from monitor.settings import Settings
from monitor.settings.sources.bluesky import BlueskySource
from monitor.store import Database, sources
from monitor.stream import Stream, StreamRewound, StreamUnavailable
from tests.servers import RedisServer
from tests.standins.jetstream import Jetstream, commit
from tests.standins.listening import soon
from tests.streaming import items
from tests.test_streamed_sources import TEXT, Desk

SOURCE = "sky"


@pytest.fixture
async def desk(redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(run_module, "RECONNECT_S", 0.01)
    monkeypatch.setattr(run_module, "FLUSH_EVERY_S", 0.0)
    stream = await Stream.open(redis_server.url)
    database = Database(Settings(store={"url": f"sqlite:///{tmp_path}/store.sqlite"}).sqlalchemy_url)
    await database.migrate()
    yield Desk(stream, database)
    await stream.close()
    await database.close()


@pytest.fixture
async def sky() -> AsyncIterator[Jetstream]:
    async with Jetstream() as jetstream:
        jetstream.pings_s = 0.1  # a sign of life after which the collector writes down where it got to
        yield jetstream


def collector(sky: Jetstream) -> tuple[BlueskySource, BlueskyCollector]:
    source = BlueskySource(name=SOURCE, kind="bluesky", base_url=sky.origin, compress=False)
    return source, BlueskyCollector(source, Budgets())


async def says(sky: Jetstream, *keys: str) -> None:
    await sky.say(*(commit("did:plc:jo", key, f"{TEXT} {key}") for key in keys))


async def waiting(desk: Desk, keys: Sequence[str]) -> None:
    """Returns once these posts are in the stream, and no others."""
    wanted = [f"{TEXT} {key}" for key in keys]
    await desk.until(lambda posts: sorted(post.text for post in posts) == wanted)


async def judged(desk: Desk, number: int) -> None:
    """A worker has judged the first so many, and the source's place before the others is on record."""
    reader = desk.stream.reader("w")
    entries = await reader.read(number, 1.0)
    assert len(entries) == number
    await reader.settle(entries)
    await reader.close()
    async with asyncio.timeout(60):
        while await on_record(desk) is None:
            await asyncio.sleep(0.02)


async def on_record(desk: Desk) -> str | None:
    async with desk.database.read() as connection:
        return await sources.judged_until(connection, SOURCE)


async def test_a_lost_second_is_heard_again_by_a_collector_that_was_past_it(
    desk: Desk, sky: Jetstream, redis_server: RedisServer
) -> None:
    async with desk.watching(*collector(sky)):
        await soon(lambda: bool(sky.asked))
        await says(sky, "a")
        await waiting(desk, ["a"])
        file, size = aof(redis_server)
        await says(sky, "b", "c")
        await waiting(desk, ["a", "b", "c"])
        redis_server.kill()
        with file.open("r+b") as opened:
            opened.truncate(size)  # what a power cut leaves of a file that is synced every second
        redis_server.start()
        await answers(desk.stream)
        await says(sky, "d")
        await waiting(desk, ["a", "b", "c", "d"])


async def test_what_waited_in_a_redis_that_was_emptied_is_heard_again(
    desk: Desk, sky: Jetstream, redis_server: RedisServer
) -> None:
    async with desk.watching(*collector(sky)):
        await soon(lambda: bool(sky.asked))
        await says(sky, "a")
        await waiting(desk, ["a"])
        await judged(desk, 1)
        before = await on_record(desk)
        await says(sky, "b", "c")
        await waiting(desk, ["b", "c"])
        assert await on_record(desk) == before, "the record must not be past what nobody has judged"
        redis_server.ask("FLUSHALL")
        await says(sky, "d")
        await waiting(desk, ["a", "b", "c", "d"])


async def test_a_collector_that_starts_at_an_empty_redis_goes_on_from_the_record(
    desk: Desk, sky: Jetstream, redis_server: RedisServer
) -> None:
    async with desk.watching(*collector(sky)):
        await soon(lambda: bool(sky.asked))
        await says(sky, "a")
        await waiting(desk, ["a"])
        await judged(desk, 1)
        await says(sky, "b")
        await waiting(desk, ["b"])
    redis_server.ask("FLUSHALL")
    await says(sky, "c")
    async with desk.watching(*collector(sky)):
        await waiting(desk, ["a", "b", "c"])


async def test_publishing_is_refused_once_after_a_loss_and_only_to_who_asked_for_the_cursor(redis_server: RedisServer) -> None:
    stream, other = await Stream.open(redis_server.url), await Stream.open(redis_server.url)
    one, two, three = items(3)
    assert await stream.cursor("s") is None
    await stream.publish([one], source="s", cursor="1")
    redis_server.ask("FLUSHALL")
    with pytest.raises(StreamRewound):
        await stream.publish([two], source="s", cursor="2")
    assert await other.publish([three], source="s") == [True]
    with pytest.raises(StreamRewound):
        await stream.cursor("s")
    assert await stream.cursor("s") is None
    assert await stream.publish([one, two], source="s", cursor="2") == [True, True]
    assert await stream.cursor("s") == "2"
    await stream.close()
    await other.close()


async def test_a_loss_in_another_partition_than_the_cursors_is_seen_too(redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url, 3)
    posts = items(40)
    await stream.cursor("s")
    await stream.publish(posts[:20], source="s", cursor="1")
    await stream.horizon("s")
    redis_server.ask("DEL", "exowatch:v1:{p2}:mentions", "exowatch:v1:{p2}:moves")  # as where one node lost what came last
    with pytest.raises(StreamRewound):
        await stream.horizon("s")
    with pytest.raises(StreamRewound):
        await stream.publish(posts[20:], source="s", cursor="2")
    with pytest.raises(StreamRewound):
        await stream.cursor("s")
    assert await stream.cursor("s") == "1"
    await stream.close()


async def answers(stream: Stream) -> None:
    """Returns once connections from before are replaced."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(StreamUnavailable):
                return await stream.ping()


def aof(redis: RedisServer) -> tuple[Path, int]:
    """The file that Redis appends to, and its size."""
    found = [*redis.folder.glob("appendonlydir/*.incr.aof"), *redis.folder.glob("appendonly.aof")]
    return found[0], found[0].stat().st_size
