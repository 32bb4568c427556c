"""Today as a browser asks for it, with so many mentions stored, on both databases; and how much there is to load."""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import Sequence

import aiohttp
import msgspec
from aiohttp import web

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_most, in_turn, plain
from benchmarks.plain import Plain
from benchmarks.plain_rows import rows_of
from benchmarks.store import FILL, Opened, _postgres, _sqlite
from monitor.api import make_app
from monitor.api.pages.past import PAST
from monitor.explain import Present
from monitor.intake import Intake
from monitor.pseudonyms import Pseudonyms
from monitor.readiness import Trouble
from monitor.settings import Settings
from monitor.store import Database
from monitor.store.judged import Judged
from monitor.stream import Stream
from monitor.times import now_ms
from tests.servers import BINARIES, RedisServer

AT_MOST_MS = 100.0
AT_MOST_KB = 60.0


async def run(scale: Scale) -> list[Figure]:
    figures = await _measured(scale, "SQLite", _sqlite)
    try:
        figures += await _measured(scale, "PostgreSQL", _postgres)
    except FileNotFoundError as error:
        print(f"pages: {error}, so its rows are left out")
    return figures


async def _measured(scale: Scale, name: str, opened: Opened) -> list[Figure]:
    size = max(scale.sizes)
    server = RedisServer(BINARIES[0])
    try:
        server.start()
        async with opened() as (database, bare):
            await fill(database, bare, size)
            stream = await Stream.open(server.url)
            try:
                return await _asking(scale, f"{name}, {size:,} stored", database, stream)
            finally:
                await stream.close()
    finally:
        server.remove()


async def fill(database: Database, bare: Plain, size: int) -> None:
    """Mentions over the year that ends now."""
    later = now_ms() - 60_000 - posts.FIRST_MS - posts.YEAR_MS

    def moved(one: Judged) -> Judged:
        return msgspec.structs.replace(one, number=one.number + (later << 21), seen_ms=one.seen_ms + later)

    for first in range(0, size, FILL):
        batch = [moved(one) for one in posts.judged(min(FILL, size - first), first=first, spread=size)]
        await bare.insert(rows_of(batch, database.dialect))
    await bare.analyse()


async def _asking(scale: Scale, where: str, database: Database, stream: Stream) -> list[Figure]:
    async def ready() -> Sequence[Trouble]:
        return ()

    async def present() -> Present:
        return Present(classifier="", register=posts.topic().register.version)

    app = make_app(
        settings=Settings(),
        database=database,
        stream=stream,
        intake=Intake(stream, posts.topic().keywords, Pseudonyms("pseudonym", b"key")),
        ready=ready,
        present=present,
        register=lambda: posts.topic().register,
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as client:

            async def body(path: str) -> bytes:
                async with client.get(address + path) as answer:
                    answer.raise_for_status()
                    return await answer.read()

            async def asked() -> float:
                count = scale.count(20, least=2)
                begun = time.perf_counter()
                for _ in range(count):
                    await body("/")
                return (time.perf_counter() - begun) / count * 1000

            async def first() -> float:
                app[PAST].forget()
                begun = time.perf_counter()
                await body("/")
                return (time.perf_counter() - begun) * 1000

            async def meanwhile() -> float:
                reading = asyncio.create_task(app[PAST].refill(database))
                begun = time.perf_counter()
                await body("/")
                took = time.perf_counter() - begun
                await reading
                return took * 1000

            again, alone, beside = await in_turn(scale.repeats, asked, first, meanwhile)
            html = await body("/")
            other = [await body(path) for path in re.findall(r'(?:href|src)="(/static/[\w.]+)"', html.decode())]
            kilobytes = sum(len(zlib.compress(one)) for one in (html, *other)) / 1000
    finally:
        await runner.cleanup()
    return [
        at_most(f"Today, {where}", "ms", again, AT_MOST_MS, "limit"),
        plain(f"Today, the first after a start, {where}", "ms", alone),
        at_most(f"Today, while earlier days are read anew, {where}", "ms", beside, AT_MOST_MS, "limit"),
        at_most(f"Today, size compressed, {where}", "kB", [kilobytes], AT_MOST_KB, "limit"),
    ]
