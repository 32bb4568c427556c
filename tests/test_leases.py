"""Leases on real servers: one owner each, shared out, taken over when their owner is gone, unharmed by one that comes late."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor import leasing
from monitor.datadir import CollectorSlot
from monitor.leasing import Lease, Leaseholder
from monitor.stream import LeaseLost, Stream
from monitor.stream.leases import GRACE_MS, LEASE_MS, Leases
from tests.servers import RedisServer, every_redis
from tests.streaming import items, stream

__all__ = ["stream"]
NAMES = [f"source-{n}" for n in range(10)]


async def held(leases: Leases, owner: str, names: list[str] = NAMES, lease_ms: int = LEASE_MS) -> set[str]:
    """What is the owner's once it has asked."""
    return {name for name, one in (await leases.hold(owner, names, lease_ms=lease_ms)).items() if one.ours}


async def balanced(leases: Leases, *owners: str) -> dict[str, set[str]]:
    """What each has once all have given what they were asked for."""
    for _ in range(10):
        for owner in owners:
            answer = await leases.hold(owner, NAMES)
            given = [name for name, one in answer.items() if one.ours and one.asked]
            await leases.release(owner, given)
            assert not await held(leases, owner) & set(given), "who looks again at once does not take back what it gave"
    return {owner: await held(leases, owner) for owner in owners}


@pytest.mark.parametrize("redis_server", every_redis(), indirect=True)
async def test_the_first_has_all_at_once_and_gives_a_second_its_share(stream: Stream) -> None:
    assert await held(stream.leases, "a") == set(NAMES)
    assert await held(stream.leases, "b") == set()
    answer = await stream.leases.hold("a", NAMES)
    asked = {name for name, one in answer.items() if one.asked}
    assert (len(asked), all(one.ours for one in answer.values())) == (5, True), "until they are given back they are held"
    await stream.leases.release("a", sorted(asked))
    assert len(await held(stream.leases, "a")) == 5, "what it gave back it does not take again"
    assert await held(stream.leases, "b") == asked
    first, second, third = (await balanced(stream.leases, "a", "b", "c")).values()
    assert sorted((len(first), len(second), len(third))) == [3, 3, 4]
    assert first | second | third == set(NAMES)


async def test_an_owner_that_is_gone_leaves_its_sources_to_all_others(stream: Stream, redis_server: RedisServer) -> None:
    shares = await balanced(stream.leases, "a", "b", "c")
    for name in shares["a"]:
        made_older(redis_server, name, LEASE_MS)
    taken = await held(stream.leases, "b") - shares["b"]
    assert taken <= shares["a"]
    assert len(taken) <= 2, "the others are for whoever else is there"
    assert shares["a"] - taken <= await held(stream.leases, "c")
    assert await held(stream.leases, "a") == set()


async def test_whoever_comes_and_goes_all_sources_are_had_by_one_each_in_fair_shares_and_then_stay(
    stream: Stream, redis_server: RedisServer
) -> None:
    dice = random.Random(3)
    there: list[str] = []
    for number in range(40):
        if not there or (len(there) < 5 and dice.random() < 0.55):
            there.append(f"process-{number}")
        else:
            gone = there.pop(dice.randrange(len(there)))
            if dice.random() < 0.5:
                await stream.leases.release(gone, NAMES)
            else:
                for name in await held(stream.leases, gone):
                    made_older(redis_server, name, LEASE_MS + dice.choice([0, GRACE_MS + 1]))
        if there:
            shares = await balanced(stream.leases, *there)
            assert sorted(name for share in shares.values() for name in share) == sorted(NAMES)
            assert max(map(len, shares.values())) - min(map(len, shares.values())) <= 1
            assert await balanced(stream.leases, *there) == shares, "nothing moves while nobody comes or goes"


async def test_what_nobody_takes_up_is_anyones(stream: Stream, redis_server: RedisServer) -> None:
    shares = await balanced(stream.leases, "a", "b")
    for name in shares["a"]:
        made_older(redis_server, name, LEASE_MS + GRACE_MS + 1)
    assert await held(stream.leases, "b") == set(NAMES)


async def test_the_same_owner_has_at_once_what_it_had(stream: Stream) -> None:
    await stream.leases.hold("a", NAMES)
    again = (await stream.leases.hold("a", NAMES))[NAMES[0]]
    assert (again.ours, again.idle_s) == (True, 0.0)
    await stream.leases.release("a", NAMES)
    await stream.leases.release("b", NAMES)  # which is not its to give
    assert await held(stream.leases, "b") == set(NAMES), "what is given back is another's at once"


async def test_processes_with_different_sources_do_not_wait_for_each_other(stream: Stream) -> None:
    assert await held(stream.leases, "a", NAMES[:6]) == set(NAMES[:6])
    assert await held(stream.leases, "b", NAMES[6:]) == set(NAMES[6:])
    assert not any(one.asked for one in (await stream.leases.hold("a", NAMES[:6])).values())


async def test_a_lease_ends_by_the_servers_clock_also_where_that_was_set_back(stream: Stream, redis_server: RedisServer) -> None:
    await stream.leases.hold("a", NAMES[:1])
    made_older(redis_server, NAMES[0], -3_600_000)  # as if given by a clock that stood an hour ahead
    assert await held(stream.leases, "b", NAMES[:1]) == set()
    idle = (await stream.leases.hold("a", NAMES[:1]))[NAMES[0]].idle_s
    assert idle == 0.0
    ends = int(redis_server.ask("HGET", LEASES_KEY, NAMES[0]).split(b"\r\n")[1].split()[0])
    assert ends <= time.time() * 1000 + LEASE_MS


LEASES_KEY = "exowatch:v1:{p0}:leases"


def made_older(server: RedisServer, name: str, by_ms: int) -> None:
    """Makes a lease end so much sooner."""
    ends, _, rest = server.ask("HGET", LEASES_KEY, name).split(b"\r\n")[1].decode().partition(" ")
    server.ask("HSET", LEASES_KEY, name, f"{int(ends) - by_ms} {rest}")


@pytest.mark.parametrize("partitions", [1, 4])
async def test_who_has_lost_a_source_cannot_move_its_cursor(redis_server: RedisServer, partitions: int) -> None:
    slow, other = await Stream.open(redis_server.url, partitions), await Stream.open(redis_server.url, partitions)
    slow.owner, other.owner = "slow", "other"
    assert await slow.publish(items(2), source="feed", cursor="1") == [True, True], "nobody has it: then anyone may"
    await slow.leases.hold("slow", ["feed"])
    await slow.publish(items(3), source="feed", cursor="2")
    await slow.leases.release("slow", ["feed"])
    await other.leases.hold("other", ["feed"])
    await other.publish(items(4), source="feed", cursor="3")
    with pytest.raises(LeaseLost, match="another process collects feed now"):
        await slow.publish(items(5), source="feed", cursor="2")
    assert await slow.cursor("feed") == "3"
    assert await slow.publish(items(1, "posted")) == [True], "what bears no cursor is nobody's source"
    assert sum(await other.publish(items(5), source="feed", cursor="4")) <= 1
    for one in (slow, other):
        await one.close()


# A process that holds leases


class Watched:
    """What one process does under its leases, as the test sees it."""

    def __init__(self, stream: Stream, owner: str, *names: str) -> None:
        self.stop = asyncio.Event()
        self.doing: set[str] = set()
        self.times = 0
        self.holder = Leaseholder(stream, owner)
        self._names = names
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        jobs = [self.holder.run(self.stop), *(self.holder.while_held(name, self._work, self.stop) for name in self._names)]
        self._tasks = [asyncio.create_task(job) for job in jobs]

    async def end(self) -> None:
        self.stop.set()
        await asyncio.gather(*self._tasks)

    async def does(self, *names: str, within_s: float = 20) -> None:
        async with asyncio.timeout(within_s):
            while self.doing != set(names):
                await asyncio.sleep(0.01)

    async def _work(self, lease: Lease, over: asyncio.Event) -> None:
        assert lease.holds
        self.times += 1
        self.doing.add(lease.name)
        await over.wait()
        self.doing.remove(lease.name)


@pytest.fixture
async def second(redis_server: RedisServer) -> AsyncIterator[Stream]:
    opened = await Stream.open(redis_server.url)
    yield opened
    await opened.close()


async def test_a_process_begins_at_once_and_hands_on_when_it_ends(stream: Stream, second: Stream) -> None:
    one, two = Watched(stream, "a", "x", "y"), Watched(second, "b", "x", "y")
    one.start()
    await one.does("x", "y", within_s=0.9)  # less than one look
    two.start()
    async with asyncio.timeout(20):
        while (len(one.doing), len(two.doing)) != (1, 1):
            await asyncio.sleep(0.01)
    await one.end()
    assert one.doing == set()
    await two.does("x", "y", within_s=5)
    await two.end()


async def test_who_cannot_renew_stops_before_another_may_begin(
    stream: Stream, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "SAFE_S", 0.6)
    monkeypatch.setattr(leasing, "EVERY_S", 0.05)
    one = Watched(stream, "a", "x")
    one.start()
    await one.does("x")
    redis_server.stall()
    began = time.monotonic()
    await one.does()
    assert time.monotonic() - began < LEASE_MS / 1000
    redis_server.resume()
    await one.does("x")
    assert one.times == 2, "it is its own again once the server is back"
    await one.end()


async def test_a_loop_that_stood_still_knows_that_it_may_have_lost(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "SAFE_S", 0.2)
    seen: list[bool] = []

    async def work(lease: Lease, over: asyncio.Event) -> None:
        seen.append(lease.holds)
        time.sleep(0.3)
        seen.append(lease.holds)
        stop.set()

    stop = asyncio.Event()
    holder = Leaseholder(stream, "a")
    await asyncio.gather(holder.run(stop), holder.while_held("x", work, stop))
    assert seen == [True, False]


async def test_work_that_fails_gives_its_lease_back(stream: Stream, second: Stream) -> None:
    async def work(lease: Lease, over: asyncio.Event) -> None:
        raise RuntimeError("a fault")

    stop = asyncio.Event()
    holder = Leaseholder(stream, "a")
    running = asyncio.create_task(holder.run(stop))
    with pytest.raises(RuntimeError):
        await holder.while_held("x", work, stop)
    assert await held(second.leases, "b", ["x"]) == {"x"}
    stop.set()
    await running


def test_a_collectors_name_is_its_own_and_outlives_it(tmp_path: Path) -> None:
    with CollectorSlot(tmp_path) as one, CollectorSlot(tmp_path) as two, CollectorSlot(tmp_path / "other") as three:
        names = [one.name, two.name, three.name]
    assert len(set(names)) == 3
    assert not any(" " in name for name in names)
    with CollectorSlot(tmp_path) as again:
        assert again.name == names[0]


# Two `exowatch collect`
