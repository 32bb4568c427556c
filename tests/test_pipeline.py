"""A worker on real servers: whatever an entry holds and whatever is away, the others go on and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor import telemetry, words
from monitor.settings import Settings
from monitor.store import Database, alerts, claims, mentions, parse_filters
from monitor.stream import Item, Reader, Stream, StreamUnavailable
from monitor.words import Post
from tests import shipped
from tests.servers import RedisServer
from workers.judgement import Judge
from workers.pipeline import Worker
from workers.reader import LocalReader

TEXT = "Exosome injections cure arthritis."


@pytest.fixture(scope="module")
def judge() -> Judge:
    return shipped.judge()


@pytest.fixture
async def rivals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Database, Database]]:
    """Two ways to one SQLite file: while the second writes, a worker with the first soon meets a lock, and soon asks again."""
    monkeypatch.setattr("monitor.store.database._BUSY_MS", 50)
    monkeypatch.setattr("workers.pipeline.TROUBLE_S", 0.05)
    url = f"sqlite+aiosqlite:///{tmp_path}/one.sqlite"
    database, other = Database(url), Database(url)
    await database.migrate()
    yield database, other
    await database.close()
    await other.close()


@asynccontextmanager
async def working(stream: Stream, database: Database, judge: Judge, name: str = "worker-0", **more: Any) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(name, stream, database, LocalReader(judge), Settings(), **more).run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


def item(post: Post) -> Item:
    return Item(post.version, words.encode(post))


def posts(count: int, prefix: str = "p") -> list[Post]:
    return [
        Post(platform="forum", id=f"{prefix}{number}", text=f"{TEXT} ({number})", author=f"a{number}") for number in range(count)
    ]


async def publish(stream: Stream, new: list[Post]) -> None:
    """Publishes as collectors do: again and again while the server is away."""
    async with asyncio.timeout(120):
        while True:
            try:
                await stream.publish([item(post) for post in new])
                return
            except StreamUnavailable:
                await asyncio.sleep(0.05)


async def done(stream: Stream, left: int = 0) -> None:
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(StreamUnavailable):
                if (await stream.stats()).length <= left:
                    return
            await asyncio.sleep(0.02)


async def stored(database: Database) -> list[str]:
    async with database.read() as connection:
        return [one.platform_id for one in (await mentions.page(connection, parse_filters({"limit": ["500"]}))).items]


def retried() -> float:
    """How many entries came again so far, as metrics count them."""
    return telemetry.registry.get_sample_value("exowatch_entries_retried_total") or 0.0


async def test_what_is_published_is_judged_recorded_and_acknowledged(stream: Stream, database: Database, judge: Judge) -> None:
    await stream.publish([item(post) for post in posts(250)])
    async with working(stream, database, judge):
        await done(stream)
    assert len(await stored(database)) == 250
    async with database.read() as connection:
        (claim,) = (await claims.page(connection, parse_filters({}))).items
        told = (await alerts.page(connection, parse_filters({}))).items
    assert (claim.mentions, claim.authors) == (250, 250)
    assert sorted(alert.kind for alert in told) == ["claim.new", "claim.spreading", "claim.spreading"]  # at 10 and at 100 authors
    assert {alert.claim_id for alert in told} == {claim.id}


async def test_a_poisoned_entry_ages_alone_while_its_batch_goes_on(stream: Stream, database: Database, judge: Judge) -> None:
    poison = [Item("bad-1", b"not a post"), Item("bad-2", b'{"platform": 5}')]
    await stream.publish([*(item(post) for post in posts(20)), *poison, *(item(post) for post in posts(20, "q"))])
    async with working(stream, database, judge, claim_after_s=0.05):
        await done(stream)
    assert len(await stored(database)) == 40
    dead = await stream.dead()
    assert sorted(entry.data for entry in dead) == sorted(entry.data for entry in poison)
    assert all(entry.deliveries == 5 and entry.error for entry in dead)


async def test_what_one_worker_had_in_hand_another_takes_up(stream: Stream, database: Database, judge: Judge) -> None:
    await stream.publish([item(post) for post in posts(30)])
    lost = stream.reader("worker-1")
    assert len(await lost.read(30, 0.1)) == 30
    await lost.close()  # as one that was killed: nothing settled, nothing handed back
    before = retried()
    async with working(stream, database, judge, claim_after_s=0.05):
        await stream.publish([item(post) for post in posts(5, "new")])
        await done(stream)
    assert len(await stored(database)) == 35
    assert retried() - before == 30


async def test_posts_that_were_recorded_and_not_acknowledged_are_recorded_once(
    stream: Stream, database: Database, judge: Judge
) -> None:
    await stream.publish([item(post) for post in posts(10)])
    async with working(stream, database, judge):
        await done(stream)
    for post in posts(10):  # the same posts under other keys: as if the stream had forgotten that it knew them
        await stream.publish([Item(f"again-{post.id}", words.encode(post))])
    async with working(stream, database, judge):
        await done(stream)
    assert len(await stored(database)) == 10
    async with database.read() as connection:
        assert (await claims.page(connection, parse_filters({}))).items[0].mentions == 10
        told = (await alerts.page(connection, parse_filters({}))).items
    assert sorted(alert.kind for alert in told) == ["claim.new", "claim.spreading"]


async def test_the_worker_goes_on_after_redis_was_killed_flushed_and_stalled(
    redis_server: RedisServer, redis_url: str, database: Database, judge: Judge
) -> None:
    stream = await Stream.open(redis_url, timeout_s=1)
    async with working(stream, database, judge):
        await publish(stream, posts(5, "a"))
        await done(stream)
        redis_server.kill()
        redis_server.start()
        await publish(stream, posts(5, "b"))
        await done(stream)
        redis_server.ask("FLUSHALL")
        await publish(stream, posts(5, "c"))
        await done(stream)
        redis_server.stall()
        await asyncio.sleep(1.5)  # longer than the client waits for an answer
        redis_server.resume()
        await publish(stream, posts(5, "d"))
        await done(stream)
    await stream.close()
    assert len(await stored(database)) == 20


async def test_a_database_that_is_locked_is_waited_for_and_no_entry_ages(
    stream: Stream, rivals: tuple[Database, Database], judge: Judge
) -> None:
    database, other = rivals
    await stream.publish([item(post) for post in posts(5)])
    async with other.write(), working(stream, database, judge, claim_after_s=0.05):
        await asyncio.sleep(1)  # a good twenty times the patience of a writer
        assert (await stream.stats()).length == 5
    async with working(stream, database, judge):
        await done(stream)
    assert len(await stored(database)) == 5
    assert await stream.dead() == []


async def test_a_worker_that_is_cancelled_ends_also_where_its_client_makes_an_error_of_it(
    redis_url: str, database: Database, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a client of Redis may that is cancelled while it connects."""
    asked = asyncio.Event()

    async def read(*_: Any) -> list[Any]:
        asked.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise StreamUnavailable("no answer in time") from None
        return []

    stream = await Stream.open(redis_url)
    monkeypatch.setattr(Reader, "read", read)
    running = asyncio.create_task(Worker("worker-0", stream, database, LocalReader(judge), Settings()).run(asyncio.Event()))
    await asked.wait()
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=10)
    try:
        assert done
        assert running.cancelled()
    finally:
        running.cancel()
        await stream.close()
