"""Reading on real servers: what is published once is handled, whatever crashes, stalls or is flushed."""

from __future__ import annotations

import asyncio
import time

import pytest

from monitor.stream import (
    ABANDONED_LIMIT,
    MAX_DELIVERIES,
    Stream,
    StreamUnavailable,
)
from monitor.stream.keys import GROUP
from tests.servers import RedisServer, every_redis
from tests.streaming import MENTIONS, eventually, items, read_until, reading, rested, stream

pytestmark = pytest.mark.parametrize("redis_server", every_redis(), indirect=True)

__all__ = ["stream"]


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
        assert replayed.id != bad.id
        assert replayed.number == bad.number, "it is no later for having been dead"
        for _ in range(MAX_DELIVERIES):
            await reader.settle([], {replayed.id: "again"})
            (replayed,) = await read_until(reader, 1) if not await stream.dead() else (replayed,)
            assert replayed.number == bad.number
        (dead,) = await stream.dead()
        assert (dead.entry_id, await stream.replay_dead()) == (bad.id, 1)
        (replayed,) = await read_until(reader, 1)
        assert replayed.number == bad.number
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


async def test_an_entry_that_kills_its_worker_comes_alone_and_dies_in_the_end(
    stream: Stream, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await stream.publish(items(3))
    poison = b'{"n":1}'
    deliveries = []
    while not await stream.dead():
        async with reading(stream) as reader:  # ends without a word, as a killed worker does
            while entries := await reader.read(10, 0):
                if killers := [entry for entry in entries if entry.data == poison]:
                    deliveries.append(killers[0].deliveries)
                    assert len(entries) == 1 or len(deliveries) < 3
                    rested(redis_server, "worker-0", *killers)
                    break
                await reader.settle(entries)
    assert deliveries == list(range(1, ABANDONED_LIMIT + 1))
    (dead,) = await stream.dead()
    assert dead.data == poison
    assert "died or stalled" in dead.error
    assert f"set aside, its worker died or stalled every time entry={dead.entry_id}" in capsys.readouterr().out
    assert (await stream.stats()).length == 0, "the others went on"


async def test_a_worker_that_is_killed_in_quick_succession_buries_nothing(stream: Stream) -> None:
    await stream.publish(items(5))
    for _ in range(2 * ABANDONED_LIMIT):
        async with reading(stream) as reader:
            await reader.read(10, 0)
    assert (await stream.stats()).dead == 0
    async with reading(stream, claim_after_s=0.1) as reader:
        entries = []
        while len(entries) < 5:
            entries += await reader.read(10, 0.1)
            await reader.settle(entries)
    assert {entry.deliveries for entry in entries} == {4}, "twice together, once alone, and again after a rest"
    assert len({entry.id for entry in entries}) == 5


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
