"""What breaks: each fault breaks something of an installation, lets it be so for a while, and mends it again.

A fault is a function of the installation, the dice and the seconds that it lasts. It returns when all is mended, and may say what
came of it in a few words.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.campaign.clock import clocks_that_jump
from tests.campaign.disk import filled_up, full_disk
from tests.campaign.machines import Installation, Kind
from tests.campaign.power import lose_the_last_second
from tests.many_servers import TcpServer, eventually

CURSORS = "exowatch:v1:{p0}:cursors"
Do = Callable[[Installation, random.Random, float], Awaitable[str | None]]


@dataclass(frozen=True)
class Fault:
    """`about`: how it is done, and undone, in a few words. `long_s`, `short_s`: how long it lasts in either form."""

    name: str
    about: str
    do: Do
    long_s: float
    short_s: float
    kind: Kind = "many"  # of the installation
    long_only: bool = False


class NothingShownError(Exception):
    """All is mended, and what was to be broken never was: the phase says nothing of the program. The text says why."""


async def nothing(_: Installation, __: random.Random, lasts: float) -> None:
    await asyncio.sleep(lasts)


async def helpers_killed(place: Installation, _: random.Random, lasts: float) -> str:
    """Every other of the processes that a collector reads a feed by, while the collector itself goes on."""
    over, seen, killed = time.monotonic() + lasts, set[int](), 0
    while time.monotonic() < over:
        for pid in {pid for process in place.of_role("collector") for pid in process.helpers()} - seen:
            seen.add(pid)
            if len(seen) % 2:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        await asyncio.sleep(0.02)
    if not killed:
        raise NothingShownError("no process that read a feed was killed")
    return f"{killed} of {len(seen)} processes that read a feed were killed"


async def redis_killed(place: Installation, _: random.Random, lasts: float, fsync: str = "always") -> None:
    """The mode is set before the kill: it is what the killed server kept to that decides what is lost."""
    answer = await asyncio.to_thread(place.redis.ask, "CONFIG", "SET", "appendfsync", fsync)
    assert answer.startswith(b"+OK"), answer
    await asyncio.to_thread(place.redis.kill)
    await asyncio.sleep(lasts)
    await asyncio.to_thread(place.redis.start, "--appendfsync", fsync)


async def redis_lost_a_second(place: Installation, _: random.Random, lasts: float) -> str:
    """As when the machine loses its power: what was written within the last second never reached the disk."""
    place.redis.ask("CONFIG", "SET", "appendfsync", "everysec")
    lost, posts = await lose_the_last_second(place.redis, lasts)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(place.redis.start, "--appendfsync", "everysec")
    if not posts:
        raise NothingShownError(f"no post was among the last {lost:,} bytes of Redis' file, which were gone")
    return f"the last {lost:,} bytes of Redis' file were gone, and {posts:,} posts with them"


async def redis_stalled(place: Installation, _: random.Random, lasts: float) -> None:
    place.redis.stall()
    try:
        await asyncio.sleep(lasts)
    finally:
        place.redis.resume()


async def redis_flushed(place: Installation, _: random.Random, lasts: float) -> None:
    await asyncio.sleep(lasts / 2)
    answer = await asyncio.to_thread(place.redis.ask, "FLUSHALL")
    assert answer.startswith(b"+OK"), answer
    await asyncio.sleep(lasts / 2)


async def postgres_crashed(place: Installation, _: random.Random, lasts: float) -> None:
    await asyncio.to_thread(place.postgres.stop, signal.SIGQUIT)  # "immediate": it recovers from its log when it starts
    await asyncio.sleep(lasts)
    await asyncio.to_thread(place.postgres.start)


async def postgres_disk_full(place: Installation, _: random.Random, lasts: float) -> str:
    """It refuses what needs room in its tables, and ends itself where its log needs some; an operator starts it again."""
    if not place.postgres_disk:
        raise NothingShownError("no file system of its own may be mounted for PostgreSQL")
    async with filled_up(place.postgres.folder):
        await asyncio.sleep(lasts)
        refused = await asyncio.to_thread(_refuses, place)
    ended = not place.postgres.running
    if ended:
        await asyncio.to_thread(place.postgres.start)
    if not refused:
        raise NothingShownError("PostgreSQL still found room")
    return "PostgreSQL had no room" + (" and ended itself" if ended else "")


def _refuses(place: Installation) -> bool:
    try:
        place.postgres.do("CREATE TEMPORARY TABLE more AS SELECT generate_series(1, 1000000)")
    except subprocess.CalledProcessError:
        return True
    return False


async def postgres_stopped(place: Installation, _: random.Random, lasts: float) -> None:
    await asyncio.to_thread(place.postgres.stop)
    await asyncio.sleep(lasts)
    await asyncio.to_thread(place.postgres.start)


def way(of: str, mode: str) -> Do:
    """A fault of the way to a server (`proxy.py`)."""

    async def changed(place: Installation, _: random.Random, lasts: float) -> None:
        ways = {"redis": ("redis_way",), "postgres": ("postgres_way",), "hook": ("hook",), "all": ("redis_way", "postgres_way")}
        helpers = [getattr(place, name) for name in ways[of]]
        for helper in helpers:
            helper.say(mode)
        await asyncio.sleep(lasts)
        for helper in helpers:
            helper.say("open")

    return changed


def receiver(mode: str) -> Do:
    """A fault of the receiver itself."""

    async def changed(place: Installation, _: random.Random, lasts: float) -> None:
        place.world.say(f"receiver {mode}")
        await asyncio.sleep(lasts)
        place.world.say("receiver up")

    return changed


async def primary_lost(place: Installation, _: random.Random, lasts: float) -> None:
    """The sentinels make the replica the primary; the one that was is gone for good."""
    await asyncio.sleep(lasts / 4)
    await asyncio.to_thread(place.watched.servers[0].kill)
    await asyncio.to_thread(eventually, lambda: b"role:master" in place.watched.servers[1].ask("INFO", "replication"), str)


async def node_lost(place: Installation, _: random.Random, lasts: float) -> None:
    """The node with the cursors, and a partition of the posts: its replica takes its place."""
    await asyncio.sleep(lasts / 4)
    await _lose(place, place.cluster.node_of(CURSORS))


async def other_node_lost(place: Installation, dice: random.Random, lasts: float) -> None:
    """A primary at random of those without the cursors."""
    await asyncio.sleep(lasts / 4)
    first = place.cluster.node_of(CURSORS)
    await _lose(place, dice.choice([node for node in place.cluster.nodes[:3] if node is not first]))


async def _lose(place: Installation, lost: TcpServer) -> None:
    await asyncio.to_thread(lost.kill)
    replica = place.cluster.nodes[place.cluster.nodes.index(lost) + 3]
    await asyncio.to_thread(eventually, lambda: b"role:master" in replica.ask("INFO", "replication"), str)


async def daemon_and_redis_killed(place: Installation, dice: random.Random, lasts: float) -> None:
    """The daemon, its redis-server or both, in whatever order, again and again."""
    over = time.monotonic() + lasts
    while time.monotonic() < over:
        await asyncio.sleep(dice.uniform(0.5, 3))
        for victim in dice.choice(("daemon", "redis", "daemon redis", "redis daemon")).split():
            if victim == "redis":
                place.kill_embedded()
                place.kills += 1
            else:
                await place.strike_one(dice)


async def _fsync_everysec(place: Installation, dice: random.Random, lasts: float) -> None:
    await redis_killed(place, dice, lasts, "everysec")


FAULTS = (
    Fault("kills-alone", "nothing but the random kills", nothing, 8, 2, long_only=True),
    Fault("helpers-killed", "kill -9 of every other feed parser, alone", helpers_killed, 15, 4, long_only=True),
    Fault(
        "redis-killed-always", "kill -9 of redis-server, appendfsync always; started again", redis_killed, 3, 1, long_only=True
    ),
    Fault("redis-killed-everysec", "the same with appendfsync everysec", _fsync_everysec, 3, 0.5, long_only=True),
    Fault("redis-lost-a-second", "power cut: kill -9, and the file lacks what came last", redis_lost_a_second, 4, 1.5),
    Fault("redis-stalled", "SIGSTOP, later SIGCONT", redis_stalled, 30, 1),
    Fault("redis-flushed", "FLUSHALL", redis_flushed, 4, 1),
    Fault("postgres-crashed", "SIGQUIT (immediate), started again", postgres_crashed, 2, 0.5),
    Fault("postgres-stopped", "stopped, started again", postgres_stopped, 20, 1, long_only=True),
    Fault("postgres-disk-full", "the disk of PostgreSQL is full, then has room", postgres_disk_full, 10, 1.5, long_only=True),
    Fault("redis-disk-full", "the disk of Redis' file is full, then has room", full_disk("redis"), 10, 1.5, long_only=True),
    Fault("clock-jumps", "one collector, worker, sender: +1 h, -1 h, right again", clocks_that_jump, 24, 7),
    Fault("redis-cut", "no packet passes to or from Redis", way("redis", "cut"), 12, 1, long_only=True),
    Fault("network-cut", "no packet passes to or from either server", way("all", "cut"), 12, 1),
    Fault("network-slow", "200 ms each way and 5 kB/s to both servers", way("all", "slow"), 20, 1, long_only=True),
    Fault("redis-half-open", "Redis hears and its answers are lost", way("redis", "half"), 12, 1, long_only=True),
    Fault("postgres-half-open", "PostgreSQL hears and its answers are lost", way("postgres", "half"), 12, 1, long_only=True),
    Fault("receiver-down", "refuses connections", way("hook", "refuse"), 6, 1),
    Fault("receiver-500", "answers 500", receiver("500"), 6, 1, long_only=True),
    Fault("receiver-slow", "takes 3 s for each", receiver("slow"), 10, 1, long_only=True),
    Fault("receiver-half-open", "takes alerts, and its answers are lost", way("hook", "half"), 6, 1, long_only=True),
    Fault("sentinel-lost", "kill -9 of the primary; its replica is promoted", primary_lost, 8, 2, "sentinel", long_only=True),
    Fault("cluster-node-lost", "kill -9 of the primary with the cursors", node_lost, 8, 2, "cluster", long_only=True),
    Fault("cluster-other-lost", "kill -9 of a primary without them", other_node_lost, 8, 2, "cluster", long_only=True),
    Fault(
        "alone-killed",
        "SQLite, one process: it and its Redis killed",
        daemon_and_redis_killed,
        15,
        2,
        kind="alone",
        long_only=True,
    ),
    Fault("alone-disk-full", "SQLite, one process: the disk of data_dir is full", full_disk("data"), 10, 1.5, kind="alone"),
)
