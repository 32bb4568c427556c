"""Several collectors and the sources that they share out: real processes, handed on, killed, paused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from monitor.collectors.base import Batch, Gap
from monitor.collectors.publish import Publisher
from monitor.intake import Intake
from monitor.leasing import Lease
from monitor.pseudonyms import Pseudonyms
from monitor.settings import FeedSource
from monitor.store import Database, sources
from monitor.stream import LeaseLost, Stream
from monitor.words import SourceStatus
from tests import shipped
from tests.checker import query
from tests.daemon_process import DaemonProcess, running_daemon, until
from tests.receiver import Receiver
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.standins.hub_server import HubServer
from tests.standins.listening import soon
from tests.streaming import stream
from tests.test_roles import write_config
from tests.test_source_events import ALL

__all__ = ["stream"]


def collectors(config: Path) -> list[DaemonProcess]:
    """Two with data folders of their own, as on two machines."""
    found = []
    for number in range(2):
        folder = config.parent / f"machine-{number}"
        folder.mkdir()
        own = folder / "monitor.toml"
        own.write_text(config.read_text())
        (folder / "topics").symlink_to(config.parent / "topics")
        found.append(DaemonProcess(own, "collect"))
    return found


def said(process: DaemonProcess, what: str) -> list[dict[str, object]]:
    return [line for line in map(json.loads, process.log().splitlines()) if line["event"] == what]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_two_collectors_one_killed_one_paused_and_nothing_is_lost_or_heard_twice(
    tmp_path: Path, redis_url: str, store_url: str
) -> None:
    """The owner is killed, and the other goes on from its cursor; then that one is paused until the first has taken over."""
    async with FeedServer() as feed, Receiver() as receiver, AsyncExitStack() as processes:
        config = write_config(tmp_path, redis_url, store_url, receiver.url, feed.url)
        stream = await Stream.open(redis_url)
        processes.push_async_callback(stream.close)
        number = 0

        async def heard_more() -> None:
            nonlocal number
            number += 1
            feed.entries.insert(0, FeedEntry(title="News", body=f"Our exosomes cure arthritis, {number}.", id=str(number)))
            await until(stream.stats, lambda stats: stats.length >= number)

        for process in (pair := collectors(config)):
            processes.push_async_callback(ended, process)
        await pair[0].start()
        await heard_more()
        await pair[1].start()
        await heard_more()
        (taken,) = said(pair[0], "source taken")
        assert taken["source"] == "blog"
        assert not said(pair[1], "source taken")

        asked = len(feed.asked)
        began = time.monotonic()
        await pair[0].kill()
        await heard_more()
        assert time.monotonic() - began < 15
        assert said(pair[1], "source taken")
        first = next(one for one in feed.asked[asked:] if one.path == "/rss.xml")
        assert "If-None-Match" in first.headers, "it goes on from the cursor of the one before"

        await pair[0].start()
        await polled(store_url)  # or it could be paused with the database in its hands, which would hold up everybody
        os.kill(pair[1].pid, signal.SIGSTOP)
        await heard_more()
        assert len(said(pair[0], "source taken")) == 2
        os.kill(pair[1].pid, signal.SIGCONT)
        await until(lambda: as_list(said(pair[1], "source given up")), bool)
        await heard_more()
        assert await pair[0].stop() == 0
        assert said(pair[0], "source given back")
        await heard_more()

        stats = await stream.stats()
        assert stats.length == number, "each post once"
        for process in pair:
            assert not [line for line in process.log().splitlines() if json.loads(line)["level"] == "error"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_push_reaches_whoever_has_the_source_now(tmp_path: Path, redis_url: str, store_url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with FeedServer() as feed, HubServer() as hub, AsyncExitStack() as processes:
        feed.hub = hub.url
        feed.entries = [FeedEntry(title="Exosomes", id="1")]
        config = write_config(tmp_path, redis_url, store_url, "http://127.0.0.1:9", feed.url)
        text = config.read_text().replace("port = 0", f'port = {port}\npublic_url = "http://127.0.0.1:{port}/"')
        config.write_text(text.replace('interval = "2s"', 'interval = "1d"'))
        stream = await Stream.open(redis_url)
        processes.push_async_callback(stream.close)
        await processes.enter_async_context(running_daemon(config, "serve"))
        for process in (pair := collectors(config)):
            processes.push_async_callback(ended, process)
            await process.start()
        await soon(lambda: len(hub.subscribers) == 1)
        assert await pair[0].stop() == 0
        await soon(lambda: bool(said(pair[1], "source taken")))
        await soon(lambda: len([one for one in feed.asked if one.path == "/rss.xml"]) == 2)
        feed.entries = [FeedEntry(title="Exosomes cured my knee", id="7")]
        assert await hub.push(feed.xml()) == [202]
        await until(stream.stats, lambda stats: stats.length == 2)
        assert len([one for one in feed.asked if one.path == "/rss.xml"]) == 2, "it was not asked for that"


async def test_a_process_that_was_paused_notes_no_gap_that_the_new_owner_has_not_seen(stream: Stream, database: Database) -> None:
    blog = FeedSource(name="blog", kind="feed", url="https://feed.test/rss.xml")
    async with database.write() as connection:
        await sources.declare(connection, {"blog": "feed"})
    lease = Lease("blog")
    intake = Intake(stream, shipped.topic().keywords, Pseudonyms("none", b""))
    publisher = Publisher(blog, stream, intake, database, max_age_s=60, lease=lease)
    lease.taken.set()
    gap = Batch(gap=Gap(cause="nothing was heard for an hour", since=1_795_000_000_000), cursor="stale")
    with pytest.raises(LeaseLost, match="blog"):
        await publisher.take(gap, asyncio.Event(), until=1_795_003_600_000)
    async with database.read() as connection:
        assert (await sources.listing(connection))[0].gaps == ()
    lease.safe_until = asyncio.get_running_loop().time() + 60
    await publisher.take(gap, asyncio.Event(), until=1_795_003_600_000)
    async with database.read() as connection:
        assert len((await sources.listing(connection))[0].gaps) == 1


async def test_a_source_that_is_handed_on_is_told_of_neither_twice_nor_falsely(database: Database) -> None:
    """A second collector starts, and takes the source over, while it is down; then while it is as quiet as it often is."""

    async def handed_on(now: int) -> None:
        async with database.write() as connection:
            await sources.configured(connection, {"blog": "feed"}, now)

    async def row() -> SourceStatus:
        async with database.read() as connection:
            return (await sources.listing(connection))[0]

    start = 1_795_000_000_000
    await handed_on(start)
    async with database.write() as connection:
        await sources.failed(connection, "blog", "it answers 503", "down", endpoints=(ALL,), now=start + 1)
    await handed_on(start + 2)
    assert (await row()).state == "down", "that somebody else has started says nothing of the source"
    async with database.write() as connection:
        assert await sources.failed(connection, "blog", "it answers 503", "failing", endpoints=(ALL,), now=start + 3) == []
        assert await sources.failed(connection, "blog", "it answers 503", "down", endpoints=(ALL,), now=start + 4) == []
    async with database.write() as connection:
        assert len(await sources.succeeded(connection, "blog", endpoints=(ALL,), now=start + 5)) == 1
    async with database.write() as connection:
        await sources.begun(connection, "blog", start + 6)
    assert (await row()).state == "waiting"


async def polled(store_url: str) -> None:
    """Returns when a poll has just been written down: the next comes in two seconds."""
    last_success = "SELECT last_success_ms FROM source"
    before = await query(store_url, last_success)
    await until(lambda: query(store_url, last_success), lambda now: now != before)


async def as_list(found: list[dict[str, object]]) -> list[dict[str, object]]:
    return found


async def ended(process: DaemonProcess) -> None:
    if process.running:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself, and the test says so
            os.kill(process.pid, signal.SIGCONT)
            await process.stop()
