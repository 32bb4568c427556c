"""Publishing on real servers: once however often it is offered, with its cursor, and never beyond the room there is."""

from __future__ import annotations

import asyncio
import time

import pytest

from monitor.stream import (
    Item,
    Stream,
    StreamError,
    StreamFull,
    StreamUnavailable,
)
from monitor.stream.keys import partition_of
from tests.servers import RedisServer, every_redis
from tests.streaming import DAY, MENTIONS, eventually, items, read_until, reading, stream

pytestmark = pytest.mark.parametrize("redis_server", every_redis(), indirect=True)

__all__ = ["stream"]


async def test_an_item_is_published_once_however_often_it_is_offered(stream: Stream, redis_url: str) -> None:
    assert await stream.publish([Item("a", b"1"), Item("b", b"2"), Item("a", b"1")]) == [True, True, False]
    assert await stream.publish([Item("b", b"2"), Item("c", b"3")]) == [False, True]
    again = await Stream.open(redis_url)
    assert await again.publish([Item("a", b"1"), Item("c", b"3"), Item("d", b"4")]) == [False, False, True]
    async with reading(again) as reader:
        entries = await reader.read(100, 0)
        assert [entry.data for entry in entries] == [b"1", b"2", b"3", b"4"]
        await reader.settle(entries)
    assert await again.publish([Item("a", b"1")]) == [False], "also after it was handled"
    await again.close()


async def test_an_item_stays_known_while_it_is_offered_each_day(redis_url: str) -> None:
    now = [1_763_800_000_000]
    stream = await Stream.open(redis_url, clock=lambda: now[0])
    assert await stream.publish(items(1)) == [True]
    for _ in range(5):
        now[0] += DAY
        assert await stream.publish(items(1)) == [False]
    now[0] += 2 * DAY
    assert await stream.publish(items(1)) == [True], "the store's key guards from here on"
    await stream.close()


async def test_a_producer_whose_clock_stands_behind_knows_the_item_too(stream: Stream, redis_url: str) -> None:
    behind = await Stream.open(redis_url, clock=lambda: time.time_ns() // 1_000_000 - DAY)
    assert await stream.publish(items(1)) == [True]
    assert await behind.publish(items(1)) == [False]
    await behind.close()


async def test_what_was_seen_is_forgotten_after_three_days(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(1))
    keys = [word.decode() for word in redis_server.ask("KEYS", "*:seen:*").split() if b"seen" in word]
    assert len(keys) == 1
    assert 2 * 86_400 < redis_server.number("TTL", keys[0]) <= 3 * 86_400


async def test_the_cursor_moves_with_the_items_of_its_source(stream: Stream) -> None:
    assert await stream.cursor("feed") is None
    await stream.publish(items(3), source="feed", cursor='{"etag":"1"}')
    await stream.publish(items(3), source="reddit", cursor="r1")
    await stream.publish(items(4))
    assert await stream.cursor("feed") == '{"etag":"1"}'
    assert await stream.publish([], source="feed", cursor="é2") == []
    assert (await stream.cursor("feed"), await stream.cursor("reddit")) == ("é2", "r1")
    with pytest.raises(ValueError, match="source"):
        await stream.publish([], cursor="whose?")


async def test_a_full_server_takes_neither_items_nor_cursor_and_then_both(stream: Stream, redis_server: RedisServer) -> None:
    redis_server.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StreamUnavailable, match="maxmemory"):
        await stream.publish(items(3), source="feed", cursor="c1")
    assert await stream.cursor("feed") is None
    redis_server.ask("CONFIG", "SET", "maxmemory", "0")
    assert await stream.publish(items(3), source="feed", cursor="c1") == [True, True, True]
    assert await stream.cursor("feed") == "c1"


async def test_a_large_batch_keeps_its_order_and_ends_with_the_cursor(stream: Stream) -> None:
    large = [Item(f"big-{number}", b"%05d" % number + b"x" * 60_000) for number in range(150)]  # beyond one part's bytes
    batch = items(2_300) + large
    assert await stream.publish(batch, source="feed", cursor="end") == [True] * len(batch)
    assert await stream.cursor("feed") == "end"
    assert await stream.publish(batch) == [False] * len(batch)
    async with reading(stream) as reader:
        entries = await read_until(reader, len(batch))
    assert [entry.data for entry in entries] == [item.data for item in batch]


async def test_numbers_are_distinct_and_rise_also_where_the_servers_clock_fell_back(
    stream: Stream, redis_server: RedisServer
) -> None:
    ahead = time.time_ns() // 1_000_000 + 3_600_000  # the clock was an hour ahead when the last entry came
    redis_server.ask("XADD", MENTIONS, f"{ahead}-8188", "v", "1", "d", "first")
    await stream.publish(items(2))
    await stream.publish(items(4))
    await stream.publish(items(20))
    async with reading(stream) as reader:
        entries = await read_until(reader, 21)
    numbers = [entry.number for entry in entries]
    assert [entry.data for entry in entries[1:]] == [item.data for item in items(20)]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] < 2**63


async def test_a_stalled_server_leaves_one_entry_after_the_retry(redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url, timeout_s=0.3)
    redis_server.stall()
    for _ in range(3):
        with pytest.raises(StreamUnavailable, match=r"0\.3 s"):
            await stream.publish(items(1), source="feed", cursor="c1")
    redis_server.resume()
    await eventually(lambda: stream.publish(items(1), source="feed", cursor="c1"))
    assert redis_server.number("XLEN", MENTIONS) == 1
    await stream.close()


async def test_a_read_only_replica_is_named_as_one(stream: Stream, redis_server: RedisServer) -> None:
    redis_server.ask("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(StreamUnavailable, match="read-only replica"):
        await stream.publish(items(1))
    redis_server.ask("REPLICAOF", "NO", "ONE")
    assert await stream.publish(items(1)) == [True]


# Reading and settling


async def test_opening_tells_what_is_wrong_and_no_secret(redis_server: RedisServer) -> None:
    with pytest.raises(StreamUnavailable, match=r"/nowhere/redis\.sock"):
        await Stream.open("unix:///nowhere/redis.sock")
    with pytest.raises(StreamUnavailable, match=r"127\.0\.0\.1:1 ") as refused:
        await Stream.open("redis://me:hunter2@127.0.0.1:1/0")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(StreamError, match=r"redis\.url"):
        await Stream.open("http://127.0.0.1")
    redis_server.ask("CONFIG", "SET", "requirepass", "swordfish")
    with pytest.raises(StreamError, match="refuses the user name or password") as refused:
        await Stream.open(f"unix://:hunter2@{redis_server.socket}")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(StreamError, match="refuses the user name or password"):
        await Stream.open(redis_server.url)


# Partitions


async def test_partitions_share_out_and_the_cursor_comes_last(redis_url: str, redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_url, 4)
    batch = items(40)
    at_home = [partition_of(item.key, 4) == 0 for item in batch]
    redis_server.ask("DEL", MENTIONS)
    redis_server.ask("SET", MENTIONS, "in the way")
    with pytest.raises(StreamError):
        await stream.publish(batch, source="feed", cursor="c1")
    assert await stream.cursor("feed") is None, "one partition did not get its items"
    redis_server.ask("DEL", MENTIONS)
    assert await stream.publish(batch, source="feed", cursor="c1") == at_home, "the others had theirs"
    assert await stream.cursor("feed") == "c1"
    found = {}
    for partition in range(4):
        async with reading(stream, partition=partition) as reader:
            entries = await reader.read(100, 0)
            assert entries
            found |= {entry.number: entry.data for entry in entries}
            await reader.settle(entries[1:], {entries[0].id: "no"})
    assert sorted(found.values()) == sorted(item.data for item in batch)
    stats = await stream.stats()
    assert (stats.length, stats.pending, stats.lag) == (4, 4, 0)
    with pytest.raises(ValueError, match="partition"):
        stream.reader("worker-0", 4)
    await stream.close()


async def test_the_number_of_partitions_changes_only_when_nothing_is_left(redis_url: str) -> None:
    stream = await Stream.open(redis_url, 2)
    await stream.publish(items(10))
    with pytest.raises(StreamError, match="set 2 again"):
        await Stream.open(redis_url, 1)
    for partition in range(2):
        async with reading(stream, partition=partition) as reader:
            await reader.settle(await reader.read(10, 0))
    await stream.close()
    await (await Stream.open(redis_url, 1)).close()


# Signals


async def test_producers_wait_while_the_workers_are_behind_and_go_on_when_they_have_caught_up(redis_url: str) -> None:
    stream = await Stream.open(redis_url, max_waiting=50)
    assert all(await stream.publish(items(60))), "what is under way when the limit is passed is taken"
    with pytest.raises(StreamFull, match="60 posts wait"):
        await until_full(stream)
    async with reading(stream) as reader:
        await reader.settle(await read_until(reader, 60))
    assert await stream.publish(items(1, "more")) == [True]
    await stream.close()


async def test_producers_wait_before_the_servers_memory_ends(redis_url: str, redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_url)
    await stream.publish([Item(f"big-{number}", b"x" * 50_000) for number in range(20)])
    used = int(redis_server.ask("INFO", "memory").partition(b"used_memory:")[2].split()[0])
    redis_server.ask("CONFIG", "SET", "maxmemory", int(used * 1.2))
    with pytest.raises(StreamFull, match="maxmemory"):
        await until_full(stream)
    assert (await stream.stats()).length >= 20, "everything that was taken is still there"
    redis_server.ask("CONFIG", "SET", "maxmemory", "0")
    assert await stream.publish(items(1, "more")) == [True]
    await stream.close()


async def until_full(stream: Stream) -> None:
    """Publishes until the stream says that it is full; it looks once a second."""
    for _ in range(200):
        await stream.publish([Item("post-0", b"{}")])
        await asyncio.sleep(0.02)
