"""Carrying all that one Redis keeps over to another: nothing that waits is lost, nothing that was heard is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis as redis_py

from monitor.moving import contents
from monitor.stream import Item, Stream
from monitor.stream.buckets import Spending
from monitor.stream.keys import dead_key, mentions_key
from monitor.stream.sayings import Saying
from tests.servers import BINARIES, RedisServer, every_redis
from tests.streaming import reading

ACL = Path(__file__).resolve().parents[1] / "docs" / "deploy" / "redis.acl"


@pytest.fixture
def other() -> Iterator[RedisServer]:
    """Another redis-server, with no rights but those of the example."""
    server = RedisServer(BINARIES[0])
    try:
        server.start("--aclfile", str(ACL), until=b"-NOAUTH")
        yield server
    finally:
        server.remove()


def url_of(server: RedisServer) -> str:
    return f"unix://exowatch:change-me@{server.socket}"


async def carry(source: str, target: str, *, stop_after: int | None = None) -> None:
    async with contents(source) as old, contents(target) as new:
        count = 0
        async for piece in old.pieces():
            await new.put(piece)
            count += 1
            if count == stop_after:
                return
        await new.finish(await old.partitions())


async def fill(url: str) -> None:
    """A stream of two partitions in the middle of its work: done, in hand, waiting, dead."""
    stream = await Stream.open(url, 2)
    await stream.publish([Item(f"k{n}", b"%d" % n, names=(f"n{n}",)) for n in range(1_200)], source="feed", cursor="c1")
    await stream.note_said({"a": Saying("1", 2)})
    cap = Spending(unit="usd", period="day", most=1, cost=0.5, kept_s=60)
    await stream.buckets.take("b", most=5, per_ms=1e-9, member="m", distinct=2, distinct_ms=9_000_000, spending=[cap])
    for partition in range(2):
        async with reading(stream, "w", partition) as reader:
            done, failing, *_ = await reader.read(20, 0)
            await reader.settle([done], {failing.id: "it fails"})
    await stream.close()


async def bury(url: str, dead: int = 0) -> None:
    """Sets an entry of each partition aside; so many are dead before."""
    stream = await Stream.open(url, 2)
    for partition in range(2):
        async with reading(stream, "dying", partition, claim_after_s=0.01) as reader:
            while not (await stream.stats()).dead > dead + partition:
                failing = (await reader.read(1, 0.05))[:1]
                await reader.settle([], {one.id: "it fails" for one in failing})
    await stream.close()


def all_of(server: RedisServer, *credentials: str) -> dict[str, object]:
    """What a server keeps, as its own client reads it."""
    given = dict(zip(("username", "password"), credentials, strict=False))
    with closing(redis_py.Redis(unix_socket_path=str(server.socket), decode_responses=True, **given)) as client:
        found: dict[str, object] = {}
        for key in client.scan_iter():
            kind = client.type(key)
            read = {"string": redis_py.Redis.get, "set": redis_py.Redis.smembers, "hash": redis_py.Redis.hgetall}
            found[key] = (read | {"zset": _scores, "stream": _entries})[kind](client, key)
            lasting = kind == "stream" or key.endswith((":cursors", ":partitions"))
            assert (client.pttl(key) > 0) == (not lasting), key
        return found


def _scores(client: redis_py.Redis, key: str) -> object:
    return client.zrange(key, 0, -1, withscores=True)


def _entries(client: redis_py.Redis, key: str) -> object:
    return client.xrange(key), client.xinfo_stream(key)["last-generated-id"]


@pytest.mark.parametrize("redis_server", every_redis(), indirect=True)
async def test_everything_goes_over_with_the_rights_of_the_example(redis_server: RedisServer, other: RedisServer) -> None:
    await fill(redis_server.url)
    await bury(redis_server.url)
    await carry(redis_server.url, url_of(other))
    before, after = all_of(redis_server), all_of(other, "admin", "change-me-admin")
    assert after == before
    assert {key.rsplit("}:")[1].partition(":")[0] for key in after} == {
        *("mentions", "dead", "cursors", "partitions", "seen", "said", "names", "bucket", "spent", "distinct")
    }


async def test_what_waited_is_worked_on_there_and_new_ids_are_later(redis_server: RedisServer, other: RedisServer) -> None:
    await fill(redis_server.url)
    await carry(redis_server.url, url_of(other))
    stream = await Stream.open(url_of(other), 2)
    stats = await stream.stats()
    assert (stats.length, stats.lag) == (1_198, 1_198), "what somebody had in hand waits for anyone"
    assert await stream.cursor("feed") == "c1"
    assert await stream.publish([Item("k7", b"7"), Item("new", b"8")]) == [False, True]
    heard = {}
    for partition in range(2):
        async with reading(stream, "w", partition) as reader:
            while entries := await reader.read(500, 0.05):
                heard.update({entry.number: entry.data for entry in entries})
                await reader.settle(entries)
    assert len(heard) == 1_199
    assert heard[max(heard)] == b"8"
    await stream.close()


async def test_ids_go_on_after_those_of_a_clock_that_was_ahead(redis_server: RedisServer, other: RedisServer) -> None:
    await fill(redis_server.url)
    ahead = "99999999999999-3"
    redis_server.ask("XADD", mentions_key(0), ahead, "v", "1", "d", "x")
    redis_server.ask("XDEL", mentions_key(0), ahead)
    await carry(redis_server.url, url_of(other))
    await carry(redis_server.url, url_of(other))
    stream = await Stream.open(url_of(other), 2)
    await stream.publish([Item(f"later {n}", b"") for n in range(9)])
    async with reading(stream) as reader:
        numbers = []
        while entries := await reader.read(500, 0.05):
            numbers += [entry.number for entry in entries]
            await reader.settle(entries)
    assert max(numbers) > 99_999_999_999_999 << 21
    await stream.close()


async def test_a_copy_that_broke_off_is_taken_up_again(redis_server: RedisServer, other: RedisServer) -> None:
    await fill(redis_server.url)
    await bury(redis_server.url)
    async with contents(redis_server.url) as old:
        number = len([piece async for piece in old.pieces()])
    for pieces in range(1, number, 3):
        await carry(redis_server.url, url_of(other), stop_after=pieces)
        async with contents(url_of(other)) as new:
            assert await new.partitions() == 0
    await carry(redis_server.url, url_of(other))
    assert all_of(other, "admin", "change-me-admin") == all_of(redis_server)


async def test_what_died_while_it_was_read_is_not_missed(redis_server: RedisServer, other: RedisServer) -> None:
    await fill(redis_server.url)
    await bury(redis_server.url)
    looks = 0
    async with contents(redis_server.url) as old, contents(url_of(other)) as new:
        async for piece in old.pieces():
            await new.put(piece)
            looks += piece.key == dead_key(0)
            if looks == 1 and piece.key == dead_key(0):
                await bury(redis_server.url, 2)
        await new.finish(2)
    stream = await Stream.open(redis_server.url, 2)
    before = await stream.stats()
    await stream.close()
    stream = await Stream.open(url_of(other), 2)
    after = await stream.stats()
    await stream.close()
    assert (before.length, before.dead) == (1_194, 4)
    assert after.length + after.dead >= 1_198


async def test_an_unknown_kind_of_key_is_named(redis_server: RedisServer) -> None:
    await fill(redis_server.url)
    redis_server.ask("RPUSH", "exowatch:v1:{p0}:queue", "1")
    async with contents(redis_server.url) as old:
        with pytest.raises(Exception, match=r"keeps a list under exowatch:v1:\{p0\}:queue"):
            [piece async for piece in old.pieces()]
