"""What so many mentions cost: storing more, pages, Today, and the room that each takes on disk and in Redis."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
from sqlalchemy import text as sql

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_most, in_turn, plain, rate
from benchmarks.pages import _asking, fill
from benchmarks.store import BATCH, WEEK_MS, WORDS, Opened, _p, _postgres, _sqlite
from monitor.intake import _item
from monitor.store import Connection, Database, Filters, mentions, record
from monitor.store.search import parse_query
from monitor.stream import Stream
from monitor.times import now_ms
from monitor.words import CLAIM_TYPES
from tests.servers import BINARIES, RedisServer

_FILL = 1_000


async def by_mentions(scale: Scale, sizes: Sequence[int], *, postgres: bool) -> list[Figure]:
    """Each size in a database of its own, whose mentions are spread over the year up to now."""
    figures: list[Figure] = []
    for name, opened in (("SQLite", _sqlite), *([("PostgreSQL", _postgres)] if postgres else [])):
        for size in sizes:
            try:
                figures += await _of_size(scale, name, size, opened)
            except FileNotFoundError as error:
                print(f"growth: {error}, so its rows are left out")
                break
    return figures


async def _of_size(scale: Scale, name: str, size: int, opened: Opened) -> list[Figure]:
    where = f"{name}, {size:,} mentions"
    async with opened() as (database, bare):
        empty = await _bytes(database)
        await fill(database, bare, size)
        taken = (await _bytes(database) - empty) / size / 1000
        figures = [plain(f"growth: disk, {where}", "kB a mention", [taken])]
        figures += await _pages(scale, where, size, database)
        figures += await _today(scale, where, database)
        figures.append(await _inserting(scale, where, size, database))
    return figures


async def _pages(scale: Scale, where: str, size: int, database: Database) -> list[Figure]:
    dice = random.Random(size)
    count = scale.count(60, least=6)
    year = (now_ms() - posts.YEAR_MS, now_ms() - WEEK_MS)

    def searched(rank: int) -> Filters:
        since = dice.randrange(*year)
        words = tuple(parse_query(posts.word(rank)))
        return Filters(since=since, until=since + WEEK_MS, text=words, type=(dice.choice(CLAIM_TYPES),))

    async def ask(filters: Filters) -> None:
        async with database.read() as connection:
            await mentions.page(connection, filters)

    shapes = {
        "page of the newest": [Filters()] * count,
        "page by time, type and text": [searched(rank) for rank in WORDS.values() for _ in range(count)],
    }
    figures = []
    for title, asked in shapes.items():
        middle, late = await in_turn(scale.repeats, _p(0.5, ask, asked), _p(0.99, ask, asked))
        figures.append(plain(f"growth: {title} p50, {where}", "ms", middle))
        figures.append(at_most(f"growth: {title} p99, {where}", "ms", late, 50, "DESIGN.md"))
    return figures


async def _today(scale: Scale, where: str, database: Database) -> list[Figure]:
    server = RedisServer(BINARIES[0])
    try:
        server.start()
        stream = await Stream.open(server.url)
        try:
            found = await _asking(scale, where, database, stream)
        finally:
            await stream.close()
    finally:
        server.remove()
    return [msgspec.structs.replace(one, name=f"growth: {one.name}") for one in found if one.unit == "ms"]


async def _inserting(scale: Scale, where: str, size: int, database: Database) -> Figure:
    """A tenth more at most, so that it stays the size that it is called by."""
    count = max(BATCH, min(1_000, size // 10 // BATCH * BATCH))
    filled = size

    async def once() -> float:
        nonlocal filled
        judged = posts.judged(count, first=filled, spread=size, seed=2)
        filled += count

        async def work() -> None:
            for start in range(0, count, BATCH):
                async with database.write() as connection:
                    await record.record(connection, judged[start : start + BATCH])

        return await rate(count, work)

    (found,) = await in_turn(scale.repeats, once)
    return plain(f"growth: insert, {where}", "mentions/s", found)


async def _bytes(database: Database) -> int:
    """What the database holds, in bytes; what is still in its log does not count."""

    async def number(connection: Connection, statement: str) -> int:
        return int((await connection.execute(sql(statement))).scalar_one())

    async with database.read() as connection:
        if database.dialect == "sqlite":
            return await number(connection, "PRAGMA page_count") * await number(connection, "PRAGMA page_size")
        return await number(connection, "SELECT pg_database_size(current_database())")


async def in_redis(sizes: Sequence[int]) -> list[Figure]:
    """The memory that a mention takes in Redis, while it waits and once it is done: what it is known by for three days."""
    figures = []
    for size in sizes:
        server = RedisServer(BINARIES[0])
        try:
            server.start("--appendfsync", "everysec")
            stream = await Stream.open(server.url)
            empty = _used(server)
            for start in range(0, size, _FILL):
                part = posts.posts(min(_FILL, size - start), seed=start + 1)
                assert all(await stream.publish([_item(post.version, post) for post in part]))
            waiting = _used(server) - empty
            reader = stream.reader("bench-0")
            left = size
            while left:
                entries = await reader.read(_FILL, 1.0)
                await reader.settle(entries)
                left -= len(entries)
            await reader.close()
            await stream.close()
            done = _used(server) - empty
        finally:
            server.remove()
        figures.append(plain(f"growth: Redis, waiting, {size:,} mentions", "kB a mention", [waiting / size / 1000]))
        figures.append(plain(f"growth: Redis, done, {size:,} mentions", "kB a mention", [max(done, 1) / size / 1000]))
    return figures


def _used(server: RedisServer) -> int:
    return int(server.ask("INFO", "memory").partition(b"used_memory:")[2].split()[0])
