"""A backlog holds up those who bring more before it takes the memory, and a long deletion lets others write in between."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path

from sqlalchemy import text as sql

from monitor import retention
from monitor.settings import Settings
from monitor.store import Database, erase
from monitor.stream import Item, Stream
from monitor.times import now_ms
from tests.daemon_process import run_command, running_daemon, until
from tests.quick_pack import rules_alone
from tests.samples import judged, write
from tests.servers import RedisServer

POSTS = 300
BIG = b"x" * 50_000
KEPT_HOURS = 48  # a Reddit post's text
LONGEST_S = 5.0  # that anybody waits to write meanwhile; on a machine with other work it was half a second


def write_config(folder: Path, redis_url: str, more: str = "") -> Path:
    rules_alone(folder)
    config = folder / "monitor.toml"
    config.write_text(f'data_dir = "data"\n[redis]\nurl = "{redis_url}"\n{more}')
    return config


def write_posts(folder: Path) -> Path:
    folder.mkdir()
    file = folder / "posts.jsonl"
    posts = ({"platform": "forum", "id": str(n), "text": f"Exosomes cured {n} of us."} for n in range(POSTS))
    file.write_text("".join(json.dumps(post) + "\n" for post in posts))
    return file


def used(server: RedisServer) -> int:
    return int(server.ask("INFO", "memory").partition(b"used_memory:")[2].split()[0])


def looks(server: RedisServer) -> int:
    """How often anybody has asked how much waits: a producer does so before it publishes."""
    _, _, found = server.ask("INFO", "commandstats").partition(b"cmdstat_xlen:calls=")
    return int(found.split(b",")[0] or 0)


async def nearly_full(stream: Stream, server: RedisServer) -> int:
    """Entries that nobody has worked on, in a server that can hold a fifth more; how many."""
    count = 40
    await stream.publish([Item(f"big-{n}", BIG) for n in range(count)])
    server.ask("CONFIG", "SET", "maxmemory", int(used(server) * 1.2))
    return count


async def work_off(stream: Stream, count: int) -> None:
    """What workers do."""
    reader = stream.reader("worker-0")
    while count:
        entries = await reader.read(count, 1.0)
        await reader.settle(entries)
        count -= len(entries)
    await reader.close()


async def test_replay_waits_before_the_servers_memory_ends_and_then_brings_all(tmp_path: Path, redis_server: RedisServer) -> None:
    config, posts = write_config(tmp_path, redis_server.url), write_posts(tmp_path / "in")
    stream = await Stream.open(redis_server.url)
    waiting = await nearly_full(stream, redis_server)
    before = looks(redis_server)
    replay = asyncio.create_task(run_command("replay", str(posts), "--config", str(config)))

    async def tried() -> int:
        assert not replay.done(), replay.result()
        return looks(redis_server) - before

    await until(tried, lambda times: times > 3)
    assert (await stream.stats()).length == waiting, "nothing is added to what is there, and nothing of that is dropped"
    await work_off(stream, waiting)
    assert await replay == (0, f"accepted {POSTS}, duplicates 0, unmatched 0\n", "")
    assert (await stream.stats()).length == POSTS
    await stream.close()


async def test_a_collector_waits_before_the_servers_memory_ends_and_then_brings_all(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    folder = write_posts(tmp_path / "in").parent
    source = f'[[source]]\nname = "files"\nkind = "folder"\npath = "{folder}"\ninterval = "2s"\n'
    config = write_config(tmp_path, redis_server.url, source)
    stream = await Stream.open(redis_server.url)
    waiting = await nearly_full(stream, redis_server)
    async with running_daemon(config, "collect") as collector:

        async def said() -> str:
            return collector.log()

        await until(said, lambda log: log.count("posts wait for the stream") > 1)
        assert "maxmemory" in collector.log()
        assert (await stream.stats()).length == waiting
        await work_off(stream, waiting)

        async def length() -> int:
            return (await stream.stats()).length

        await until(length, lambda there: there == POSTS)
    await stream.close()


async def test_texts_expire_a_few_at_a_time_and_whoever_writes_meanwhile_gets_in_between(database: Database) -> None:
    steps = 6
    count = steps * erase.MOST
    for start in range(0, count, 500):
        old = (judged(f"old-{n}", "Exosomes.", hours_ago=KEPT_HOURS + 2, n=n) for n in range(start, start + 500))
        await write(database, *old)
    expiring = asyncio.create_task(retention.expire(Settings(), database, now_ms()))
    waits, left = [], set()
    for n in itertools.count():
        started = time.monotonic()
        await write(database, judged(f"new-{n}", "Exosomes.", n=n))
        waits.append(time.monotonic() - started)
        async with database.read() as connection:
            left.add((await connection.execute(sql("SELECT count(*) FROM mention WHERE state = 'expired'"))).scalar_one())
        if expiring.done():
            break
    assert await expiring == count
    assert all(number % erase.MOST == 0 for number in left)
    assert len(left - {0, count}) >= steps // 3, f"between the steps others wrote, who saw {sorted(left)}"
    assert max(waits) < LONGEST_S
