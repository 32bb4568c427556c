"""The stream behind real Sentinels: they name the primary, and when it dies the work goes on at the one that they promote."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.stream import Signal, Stream, StreamError, StreamUnavailable
from tests.daemon_process import running_daemon
from tests.many_servers import TcpServer, Watched, with_password
from tests.receiver import Receiver
from tests.servers import BINARIES, every_redis
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.streaming import eventually, items, read_until, reading
from tests.test_roles import write_config


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    if not BINARIES:
        pytest.skip("there is no redis-server on PATH and none from the wheel")
    servers = Watched(getattr(request, "param", BINARIES[0]))
    try:
        yield servers
    finally:
        servers.remove()


async def replicated(server: TcpServer) -> None:
    """Returns once the replica has all that the server took."""
    assert await asyncio.to_thread(server.ask, "WAIT", 1, 10_000) == b":1\r\n"


@pytest.mark.parametrize("watched", every_redis(), indirect=True)
async def test_the_work_goes_on_at_the_promoted_replica(watched: Watched) -> None:
    stream = await Stream.open(watched.url)
    assert all(await stream.publish(items(10), source="feed", cursor="1"))
    heard = stream.signals(await stream.signal_position())
    waiting = asyncio.ensure_future(anext(heard))
    async with reading(stream) as reader:
        taken = await reader.read(4, 0)
        await reader.settle(await reader.read(6, 0))
        blocked = asyncio.create_task(read_until(reader, 2))
        await replicated(watched.servers[0])
        watched.servers[0].kill()
        with pytest.raises(StreamUnavailable):
            await stream.publish(items(11))
        assert await eventually(lambda: stream.publish(items(12), source="feed", cursor="2")) == [False] * 10 + [True] * 2
        assert await stream.cursor("feed") == "2"
        rest = await blocked
        assert {entry.data for entry in rest} == {item.data for item in items(12)[10:]}
        await reader.settle(taken + rest)
    assert (await stream.stats()).length == 0
    assert await stream.leases.hold("a", ["x"])
    await stream.signal(Signal(kind="alert", id="a_1"))
    assert (await asyncio.wait_for(waiting, 60)).id == "a_1"
    await heard.aclose()
    await stream.close()
    assert watched.servers[1].ask("XLEN", "exowatch:v1:{p0}:mentions") == b":0\r\n", "at the one that was promoted"


async def the_daemon_goes_on(folder: Path, redis_url: str, store_url: str, kill: Callable[[], None]) -> None:
    """`exowatch run`: a post before the server dies and one after it, each alerted once."""
    async with FeedServer() as feed, Receiver() as receiver:
        config = write_config(folder, redis_url, store_url, receiver.url, feed.url)
        feed.entries.append(FeedEntry(title="News", body="Our exosomes are FDA approved.", id="1"))
        async with running_daemon(config) as daemon:
            await receiver.got(1)
            kill()
            feed.entries.insert(0, FeedEntry(title="News", body="Our exosomes cure arthritis.", id="2"))
            await receiver.got(2)
            await daemon.until("/sources", lambda page: page["items"][0]["state"] == "ok")
            assert len((await daemon.get("/mentions"))["items"]) == 2
            assert not [line for line in daemon.log().splitlines() if json.loads(line)["level"] == "error"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_the_daemon_goes_on_when_the_primary_dies(watched: Watched, tmp_path: Path, store_url: str) -> None:
    await the_daemon_goes_on(tmp_path, watched.url, store_url, watched.servers[0].kill)


async def test_what_replication_had_not_passed_on_is_fetched_again_from_the_cursor(watched: Watched) -> None:
    """The cursor is as old as what is there: a collector that asks from it brings what was lost with the primary."""
    stream = await Stream.open(watched.url)
    await stream.publish(items(5), source="feed", cursor="5")
    await replicated(watched.servers[0])
    watched.servers[1].stall()  # the replica falls behind
    await stream.publish(items(9), source="feed", cursor="9")
    watched.servers[0].kill()
    watched.servers[1].resume()
    cursor = await eventually(lambda: stream.cursor("feed"))
    kept = (await eventually(stream.stats)).length
    assert (cursor, kept) in (("5", 5), ("9", 9)), "posts and cursor are lost together or not at all"
    await eventually(lambda: stream.publish(items(9), source="feed", cursor="9"))
    assert (await stream.stats()).length == 9
    await stream.close()


async def test_a_primary_that_was_only_away_is_not_written_to_when_it_comes_back(watched: Watched) -> None:
    stream = await Stream.open(watched.url, timeout_s=0.5)
    await stream.publish(items(3), source="feed", cursor="1")
    await replicated(watched.servers[0])
    watched.servers[0].stall()
    assert await eventually(lambda: stream.publish(items(4), source="feed", cursor="2")) == [False] * 3 + [True]
    watched.servers[0].resume()
    for number in range(5, 30):
        assert await eventually(lambda number=number: stream.publish(items(number))) == [False] * (number - 1) + [True]
    assert watched.servers[1].ask("XLEN", "exowatch:v1:{p0}:mentions") == b":29\r\n"
    await stream.close()


@pytest.mark.skipif(not BINARIES, reason="there is no redis-server on PATH and none from the wheel")
async def test_servers_and_sentinels_have_passwords_of_their_own_and_no_error_shows_one() -> None:
    watched = Watched(BINARIES[0], password="hunter2", sentinel_password="swordfish")
    try:
        stream = await Stream.open(watched.url)
        assert await stream.publish(items(1)) == [True]
        await stream.close()
        for one in watched.sentinels:  # the one right that a user of the sentinels needs
            with_password(one, "swordfish", *["ACL", "SETUSER", "looker", "on", ">swordfish", "-@all", "+sentinel|masters"])
        url = watched.url.replace("?", "?sentinel_username=looker&")
        await (await Stream.open(url)).close()
        for wrong, said in (
            (watched.url.replace("swordfish", "hunter3"), "refuses the user name or password"),
            (watched.url.replace("hunter2", "hunter3"), "refuses the user name or password"),
            (watched.url.replace("/posts/", "/others/"), "no sentinel names a primary of others"),
            (watched.url.replace("/posts/0", ""), "name the service"),
            (watched.url + "&colour=red", "option 'colour'"),
        ):
            with pytest.raises(StreamError, match=said) as refused:
                await Stream.open(wrong)
            assert not any(secret in str(refused.value) for secret in ("swordfish", "hunter"))
    finally:
        watched.remove()


async def test_sentinels_that_are_all_away_are_named() -> None:
    with pytest.raises(StreamUnavailable, match=r"127\.0\.0\.1:1,127\.0\.0\.1:2"):
        await Stream.open("redis+sentinel://127.0.0.1:1,127.0.0.1:2/posts")
