"""The stream on real servers: what is published once is handled, whatever crashes, stalls or is flushed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest

from monitor.stream import (
    ABANDONED_LIMIT,
    MAX_DELIVERIES,
    Entry,
    Item,
    Reader,
    Signal,
    Stream,
    StreamError,
    StreamFull,
    StreamUnavailable,
)
from monitor.stream.keys import GROUP, mentions_key, partition_of
from tests.servers import RedisServer, every_redis

pytestmark = pytest.mark.parametrize("redis_server", every_redis(), indirect=True)

MENTIONS = mentions_key(0)
DAY = 86_400_000
T = TypeVar("T")


def items(count: int, prefix: str = "post") -> list[Item]:
    return [Item(f"{prefix}-{number}", b'{"n":%d}' % number) for number in range(count)]


@pytest.fixture
async def stream(redis_server: RedisServer) -> AsyncIterator[Stream]:
    opened = await Stream.open(redis_server.url)
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def reading(stream: Stream, name: str = "worker-0", partition: int = 0, claim_after_s: float = 60) -> AsyncIterator[Reader]:
    reader = stream.reader(name, partition, claim_after_s=claim_after_s)
    try:
        yield reader
    finally:
        await reader.close()


async def read_until(reader: Reader, wanted: int, within_s: float = 10) -> list[Entry]:
    """Reads, waiting out a server that is away, until so many entries came."""
    entries: list[Entry] = []
    deadline = time.monotonic() + within_s
    while len(entries) < wanted:
        assert time.monotonic() < deadline, f"{len(entries)} of {wanted} entries came"
        try:
            entries += await reader.read(100, 0.2)
        except StreamUnavailable:
            await asyncio.sleep(0.05)
    return entries


async def eventually(ask: Callable[[], Awaitable[T]], within_s: float = 10) -> T:
    """What `ask` answers once the server is there again."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return await ask()
        except StreamUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


def rested(server: RedisServer, consumer: str, *entries: Entry) -> None:
    """Makes entries look as if they had been in this consumer's hands for two minutes."""
    for entry in entries:
        key = mentions_key(entry.partition)
        assert entry.id.encode() in server.ask("XCLAIM", key, GROUP, consumer, 0, entry.id, "IDLE", 120_000, "JUSTID")


# Publishing


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


async def test_two_readers_share_and_nothing_is_left(stream: Stream) -> None:
    await stream.publish(items(10))
    async with reading(stream, "worker-0") as one, reading(stream, "worker-1") as two:
        first, second = await one.read(4, 0), await two.read(100, 0)
        assert (len(first), len(second)) == (4, 6)
        assert len({entry.data for entry in first + second}) == 10
        stats = await stream.stats()
        assert (stats.length, stats.pending, stats.lag, stats.dead) == (10, 10, 0, 0)
        await one.settle(first)
        await two.settle(second)
        await two.settle(second)  # a repeated settle changes nothing
        assert await one.read(100, 0) == []
    stats = await stream.stats()
    assert (stats.length, stats.pending, stats.lag, stats.oldest_age_s) == (0, 0, 0, None)


async def test_stats_tell_what_waits_and_for_how_long(stream: Stream, redis_server: RedisServer) -> None:
    old = time.time_ns() // 1_000_000 - 90_000
    redis_server.ask("XADD", MENTIONS, f"{old}-0", "v", "1", "d", "old")
    await stream.publish(items(4))
    async with reading(stream) as reader:
        taken = await reader.read(2, 0)
        stats = await stream.stats()
        assert (stats.length, stats.pending, stats.lag) == (5, 2, 3)
        assert stats.oldest_age_s == pytest.approx(90, abs=5)
        await reader.settle(taken)
    stats = await stream.stats()
    assert stats.lag == 3
    assert stats.oldest_age_s == pytest.approx(0, abs=5)


async def test_a_reader_that_comes_back_finds_first_what_it_left(stream: Stream) -> None:
    await stream.publish(items(3))
    async with reading(stream) as reader:
        left = await reader.read(2, 0)
    async with reading(stream) as reader:
        again = await reader.read(100, 0)
        assert [(entry.id, entry.data, entry.number) for entry in again] == [(e.id, e.data, e.number) for e in left]
        assert [entry.deliveries for entry in again] == [2, 2]
        assert [entry.data for entry in await reader.read(100, 0)] == [b'{"n":2}']


async def test_what_a_dead_worker_left_is_taken_over_once_it_rested(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(300))
    async with reading(stream, "worker-0") as dead:
        left = await dead.read(300, 0)
    async with reading(stream, "worker-1") as other:
        assert await other.read(100, 0) == [], "an entry that is being worked on is not taken away"
    rested(redis_server, "worker-0", *left)
    async with reading(stream, "worker-1") as other:
        taken = await read_until(other, 300)
        await other.settle(taken)
    assert [entry.id for entry in taken] == [entry.id for entry in left]
    assert (await stream.stats()).length == 0


async def test_a_waiting_reader_takes_over_by_itself(stream: Stream) -> None:
    await stream.publish(items(1))
    async with reading(stream, "worker-0") as dead:
        await dead.read(1, 0)
    async with reading(stream, "worker-1", claim_after_s=0.3) as other:
        assert [entry.deliveries for entry in await read_until(other, 1)] == [2]


async def test_a_renewed_batch_stays_with_its_worker(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(2))
    async with reading(stream, "worker-0") as slow, reading(stream, "worker-1") as other:
        entries = await slow.read(2, 0)
        rested(redis_server, "worker-0", *entries)
        await slow.renew(entries)
        assert await other.read(2, 0) == []
        rested(redis_server, "worker-0", *entries)
    async with reading(stream, "worker-1") as other:
        taken = await other.read(2, 0)
        assert [entry.deliveries for entry in taken] == [2, 2], "renewing is no delivery"
        async with reading(stream, "worker-2") as third:
            await slow.renew(entries)  # too late: they are another's, and stay there
            rested(redis_server, "worker-1", *taken)
            await slow.renew(entries)
            assert [entry.id for entry in await read_until(third, 2)] == [entry.id for entry in entries]


async def test_what_is_handed_back_is_anyones_at_once_and_no_older_for_it(stream: Stream) -> None:
    await stream.publish(items(3))
    for _ in range(MAX_DELIVERIES + 1):  # a rolling restart as often as one likes
        async with reading(stream, "worker-0") as leaving:
            entries = await leaving.read(3, 0)
            assert [entry.deliveries for entry in entries] == [1, 1, 1] or [entry.deliveries for entry in entries] == [1, 1]
            await leaving.settle(entries[2:])
            await leaving.hand_back(entries[:2])
    async with reading(stream, "worker-1") as other:
        assert [entry.id for entry in await other.read(3, 0)] == [entry.id for entry in entries[:2]]


async def test_a_failing_entry_ages_alone_dies_and_can_be_replayed(stream: Stream) -> None:
    await stream.publish(items(5))
    async with reading(stream, claim_after_s=0.1) as reader:
        entries = await reader.read(5, 0)
        bad = entries[2]
        error = "the text of a post \ud800" + "x" * 5_000
        await reader.settle([entry for entry in entries if entry is not bad], {bad.id: error})
        assert (await stream.stats()).length == 1, "the others of its batch are done"
        assert await reader.read(5, 0) == [], "it rests before it comes again"
        for deliveries in range(2, MAX_DELIVERIES + 1):
            (again,) = await read_until(reader, 1)
            assert (again.id, again.data, again.deliveries) == (bad.id, bad.data, deliveries)
            await reader.settle([], {again.id: error})
        await reader.settle([], {bad.id: error})  # a repeated settle buries nobody twice
        stats = await stream.stats()
        assert (stats.length, stats.pending, stats.dead) == (0, 0, 1)

        (dead,) = await stream.dead()
        assert (dead.entry_id, dead.data, dead.deliveries) == (bad.id, bad.data, MAX_DELIVERIES)
        assert dead.error.startswith("the text of a post ?x")
        assert len(dead.error) == 2_000
        assert dead.died_at == pytest.approx(time.time() * 1000, abs=60_000)

        assert await stream.replay_dead(["0.1-1", "nonsense", "7.1-1", "0.x-y", ""]) == 0
        assert await stream.replay_dead([dead.id]) == 1
        assert await stream.replay_dead([dead.id]) == 0
        assert await stream.dead() == []
        (replayed,) = await read_until(reader, 1)
        assert (replayed.data, replayed.deliveries) == (bad.data, 1)
        await reader.settle([replayed])
    assert (await stream.stats()).length == 0


async def test_a_failed_entry_rests_from_its_failure_on(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(1))
    async with reading(stream, "worker-0") as reader, reading(stream, "worker-1") as other:
        (entry,) = await reader.read(1, 0)
        rested(redis_server, "worker-0", entry)  # it took two minutes to fail
        await reader.settle([], {entry.id: "no"})
        assert await other.read(1, 0) == []
        assert (await stream.stats()).pending == 1


async def test_all_dead_are_replayed_page_by_page(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(250))
    async with reading(stream) as reader:
        entries = await reader.read(250, 0)
        for entry in entries:
            redis_server.ask("XCLAIM", MENTIONS, GROUP, "worker-0", 0, entry.id, "RETRYCOUNT", MAX_DELIVERIES, "JUSTID")
        await reader.settle([], {entry.id: "no" for entry in entries})
    assert (len(await stream.dead(10)), (await stream.stats()).dead) == (10, 250)
    assert await stream.replay_dead() == 250
    assert await stream.replay_dead() == 0
    async with reading(stream) as reader:
        assert [entry.data for entry in await read_until(reader, 250)] == [item.data for item in items(250)]


async def test_an_entry_that_kills_its_worker_comes_alone_and_dies_in_the_end(stream: Stream) -> None:
    await stream.publish(items(3))
    poison = b'{"n":1}'
    deliveries = []
    for life in range(50):
        async with reading(stream) as reader:  # ends without a word, as a killed worker does
            survived = True
            while survived and (entries := await reader.read(10, 0)):
                survived = all(entry.data != poison for entry in entries)
                if survived:
                    await reader.settle(entries)
                elif life >= 2:
                    assert len(entries) == 1
                deliveries += [entry.deliveries for entry in entries if entry.data == poison]
            if survived:
                break
    assert deliveries == list(range(1, ABANDONED_LIMIT + 1))
    (dead,) = await stream.dead()
    assert dead.data == poison
    assert "died or stalled" in dead.error
    assert (await stream.stats()).length == 0, "the others went on"


async def test_a_slow_worker_cannot_fail_what_another_took_over(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(1))
    async with reading(stream, "worker-0") as slow, reading(stream, "worker-1") as other:
        (entry,) = await slow.read(1, 0)
        rested(redis_server, "worker-0", entry)
        (taken,) = await other.read(1, 0)
        redis_server.ask("XCLAIM", MENTIONS, GROUP, "worker-1", 0, entry.id, "RETRYCOUNT", MAX_DELIVERIES, "JUSTID")
        await slow.settle([], {entry.id: "too late"})
        await slow.hand_back([entry])
        assert (await stream.stats()).dead == 0
        async with reading(stream, "worker-2") as third:
            assert await third.read(1, 0) == []
        await other.settle([taken])
    assert (await stream.stats()).length == 0


async def test_an_entry_whose_payload_is_gone_is_acknowledged(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(30))
    async with reading(stream) as reader:
        for entry in (await reader.read(30, 0))[:29]:
            redis_server.ask("XDEL", MENTIONS, entry.id)
    async with reading(stream) as reader:
        assert [entry.data for entry in await reader.read(5, 0)] == [b'{"n":29}']
    assert (await stream.stats()).pending == 1


# A server in trouble


async def test_reading_goes_on_after_a_flush(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(2), source="feed", cursor="c1")
    async with reading(stream) as reader:
        await reader.read(10, 0)
        blocked = asyncio.create_task(read_until(reader, 3))
        while b"blocked_clients:1" not in redis_server.ask("INFO", "clients"):
            await asyncio.sleep(0.01)
        redis_server.ask("FLUSHALL")
        assert (await stream.stats()).length == 0
        assert await stream.cursor("feed") is None, "so the collector fetches again"
        assert await stream.publish(items(3)) == [True, True, True]
        entries = await blocked
        assert [entry.data for entry in entries] == [item.data for item in items(3)]
        redis_server.ask("FLUSHALL")
        await reader.settle(entries[:1], {entries[1].id: "gone"})
        redis_server.ask("FLUSHALL")
        await reader.hand_back(entries[2:])
        await stream.publish(items(1))
        await reader.settle(await read_until(reader, 1))
    assert (await stream.stats()).length == 0


async def test_entries_whose_delivery_was_lost_on_the_way_come_again_soon(redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url, timeout_s=0.3)
    await stream.publish(items(6))
    async with reading(stream) as reader:
        first = await reader.read(2, 0)
        assert len(await reader.read(1, 0)) == 1
        redis_server.stall()
        with pytest.raises(StreamUnavailable):
            await reader.read(10, 0)
        redis_server.resume()
        rest = await read_until(reader, 3)
        assert [entry.data for entry in rest] == [item.data for item in items(6)[3:]], "and not what is in hand already"
        await reader.settle(first + rest)
    assert (await stream.stats()).length == 1
    await stream.close()


async def test_a_loading_server_is_waited_for(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(10_000))
    redis_server.kill()
    redis_server.start("--key-load-delay", "100", until=b"-LOADING")  # microseconds an entry
    with pytest.raises(StreamUnavailable, match="loading its data"):
        await Stream.open(redis_server.url)
    assert sum(await eventually(lambda: stream.publish(items(10_001)))) == 1


async def test_a_killed_server_comes_back_with_everything(stream: Stream, redis_server: RedisServer) -> None:
    await stream.publish(items(5), source="feed", cursor="c1")
    async with reading(stream) as reader:
        in_hand = await reader.read(2, 0)
        redis_server.kill()
        for call in (reader.read(5, 0), stream.publish(items(6)), reader.settle(in_hand), stream.ping(), stream.stats()):
            with pytest.raises(StreamUnavailable, match="cannot be reached"):
                await call
        redis_server.start()
        await eventually(lambda: reader.settle(in_hand))
        assert await stream.publish(items(6)) == [False] * 5 + [True]
        entries = await read_until(reader, 4)
        assert [entry.data for entry in entries] == [item.data for item in items(6)[2:]]
        await reader.settle(entries)
    assert await stream.cursor("feed") == "c1"


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


async def test_signals_wake_from_a_position_on_and_outlive_the_server(stream: Stream, redis_server: RedisServer) -> None:
    await stream.signal(Signal("mention", "m_0"))
    position = await stream.signal_position()
    await stream.signal(Signal("mention", "m_1"), Signal("alert", "a_1"))
    tail = stream.signals(position)
    seen = [await anext(tail), await anext(tail)]
    assert [(signal.kind, signal.id) for signal in seen] == [("mention", "m_1"), ("alert", "a_1")]
    waiting = asyncio.ensure_future(anext(tail))
    redis_server.kill()
    await stream.signal(Signal("mention", "lost"))  # dropped without a word to the caller
    redis_server.start()
    await stream.signal(Signal("mention", "m_2"))
    assert (await waiting).id == "m_2"
    resumed = stream.signals(seen[0].position)
    assert [(await anext(resumed)).id, (await anext(resumed)).id] == ["a_1", "m_2"]
    await resumed.aclose()
    ending = asyncio.ensure_future(anext(tail))
    await stream.close()
    with pytest.raises(StopAsyncIteration):
        await ending


async def test_a_tail_from_now_on_hears_only_what_comes(stream: Stream, redis_server: RedisServer) -> None:
    await stream.signal(Signal("mention", "before"))
    tail = stream.signals()
    first = asyncio.ensure_future(anext(tail))
    while b"blocked_clients:1" not in redis_server.ask("INFO", "clients"):
        await asyncio.sleep(0.01)
    await stream.signal(Signal("mention", "after"))
    assert (await first).id == "after"
    await tail.aclose()


async def test_signals_are_bounded(stream: Stream, redis_server: RedisServer) -> None:
    for _ in range(12):
        await stream.signal(*[Signal("mention", "m")] * 1_000)
    assert 10_000 <= redis_server.number("XLEN", "exowatch:v1:{p0}:signals") <= 10_500


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
