"""The record: inserting and reading pages with so many mentions stored, on both databases, beside their plain drivers.

Each database is filled by its plain driver; at every size the store and the plain driver then insert in turn, into the same
tables.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

from benchmarks import api, posts
from benchmarks.measure import Figure, Scale, at_most, beside, in_turn, quantile, rate
from benchmarks.plain import Plain, PlainPostgres, PlainSqlite
from benchmarks.plain_rows import rows_of
from monitor.settings import Settings
from monitor.settings.model import Store
from monitor.store import Database, Filters, mentions, record
from monitor.store.judged import Judged
from monitor.store.search import parse_query
from monitor.words import CLAIM_TYPES
from tests.postgres import running_postgres

BATCH = 100  # as the worker writes
FILL = 1_000
WEEK_MS = 7 * 86_400_000
# Words by how common they are; the year holds 52 windows of a week.
WORDS = {"common": 0, "mid": 300, "rare": 10_000}

Opened = Callable[[], AbstractAsyncContextManager[tuple[Database, Plain]]]


async def run(scale: Scale) -> list[Figure]:
    figures = await _measured(scale, "SQLite", _sqlite)
    try:
        figures += await _measured(scale, "PostgreSQL", _postgres)
    except FileNotFoundError as error:
        print(f"store: {error}, so its rows are left out")
    return figures


@asynccontextmanager
async def _sqlite() -> AsyncIterator[tuple[Database, Plain]]:
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        file = Path(folder) / "store.sqlite"
        database = Database(Settings(store=Store(url=f"sqlite:///{file}")).sqlalchemy_url)
        await database.migrate()
        try:
            yield database, PlainSqlite(str(file))
        finally:
            await database.close()


@asynccontextmanager
async def _postgres() -> AsyncIterator[tuple[Database, Plain]]:
    with running_postgres() as server:
        url = server.fresh_database()
        database = Database(Settings(store=Store(url=url)).sqlalchemy_url)
        await database.migrate()
        bare = await PlainPostgres.open(url)
        try:
            yield database, bare
        finally:
            await bare.close()
            await database.close()


class _Filled:
    """A database and how far its year is filled: mentions come in the order of time, spread over the year at the final size."""

    def __init__(self, database: Database, bare: Plain, spread: int) -> None:
        self.database = database
        self.bare = bare
        self.filled = 0
        self._spread = spread

    def next(self, count: int) -> list[Judged]:
        found = posts.judged(count, first=self.filled, spread=self._spread)
        self.filled += count
        return found

    async def fill(self, size: int) -> None:
        while self.filled < size:
            await self.bare.insert(rows_of(self.next(min(FILL, size - self.filled)), self.database.dialect))
        await self.bare.analyse()

    @property
    def last_ms(self) -> int:
        return posts.FIRST_MS + posts.YEAR_MS * self.filled // self._spread


async def _measured(scale: Scale, name: str, opened: Opened) -> list[Figure]:
    figures: list[Figure] = []
    async with opened() as (database, bare):
        filled = _Filled(database, bare, max(scale.sizes))
        for size in scale.sizes:
            await filled.fill(size)
            figures.append(await _inserting(scale, f"insert, {name}, {size:,} stored", filled))
            figures += await _querying(scale, f"{name}, {size:,} stored", filled)
            figures += await api.searching(scale, f"{name}, {size:,} stored", database, filled.last_ms)
    return figures


async def _inserting(scale: Scale, name: str, filled: _Filled) -> Figure:
    count = scale.count(2_000, least=BATCH)

    async def ours() -> float:
        judged = filled.next(count)

        async def work() -> None:
            for start in range(0, count, BATCH):
                async with filled.database.write() as connection:
                    await record.record(connection, judged[start : start + BATCH])

        return await rate(count, work)

    async def bare() -> float:
        judged = filled.next(count)
        batches = [rows_of(judged[start : start + BATCH], filled.database.dialect) for start in range(0, count, BATCH)]

        async def work() -> None:
            for batch in batches:
                await filled.bare.insert(batch)

        return await rate(count, work)

    own, other = await in_turn(scale.repeats, ours, bare)
    return beside(name, "mentions/s", own, f"{filled.bare.name}, the same rows", other)


async def _querying(scale: Scale, where: str, filled: _Filled) -> list[Figure]:
    count = scale.count(150, least=10)
    dice = random.Random(7)

    def window(word: str | None, **more: object) -> Filters:
        # A week of a random time; where less than a week is filled, that.
        since = dice.randrange(posts.FIRST_MS, max(posts.FIRST_MS + 1, filled.last_ms - WEEK_MS))
        text = tuple(parse_query(posts.word(WORDS[word]))) if word else ()
        return Filters(since=since, until=since + WEEK_MS, text=text, **more)  # type: ignore[arg-type]

    def kind() -> tuple[str, ...]:
        return (dice.choice(CLAIM_TYPES),)

    async def ours(filters: Filters) -> None:
        async with filled.database.read() as connection:
            await mentions.page(connection, filters)

    async def bare(filters: Filters) -> None:
        await filled.bare.page(filters)

    figures = []
    asked = [window(word, type=kind()) for word in WORDS for _ in range(count)]
    own, other = await in_turn(scale.repeats, _p(0.99, ours, asked), _p(0.99, bare, asked))
    own50, other50 = await in_turn(1, _p(0.5, ours, asked), _p(0.5, bare, asked), warm_up=False)
    title = f"page by time, type and text, {where}"
    figures.append(at_most(f"{title}, p99", "ms", own, 50, "DESIGN.md"))
    figures.append(beside(f"{title}, p99", "ms", own, f"{filled.bare.name}, the same queries", other, less=True))
    figures.append(beside(f"{title}, p50", "ms", own50, f"{filled.bare.name}, the same queries", other50, less=True))
    for shape, filters in _shapes(window, kind, count // 3 or 1).items():
        (found,) = await in_turn(scale.repeats, _p(0.99, ours, filters))
        figures.append(at_most(f"page {shape}, {where}, p99", "ms", found, 50, "DESIGN.md"))
    return figures


def _shapes(window: Callable[..., Filters], kind: Callable[[], tuple[str, ...]], count: int) -> dict[str, list[Filters]]:
    """Other pages that users ask for, by what they ask."""

    def ever(filters: Filters) -> Filters:
        return msgspec.structs.replace(filters, since=None, until=None)

    return {
        "of the newest": [ever(window(None)) for _ in range(count)],
        "by time and type": [window(None, type=kind()) for _ in range(count)],
        "by type, of all time": [ever(window(None, type=kind())) for _ in range(count)],
        "by common word, of all time": [ever(window("common")) for _ in range(count)],
        "by rare word, of all time": [ever(window("rare")) for _ in range(count)],
        "by type and common word, of all time": [ever(window("common", type=kind())) for _ in range(count)],
        "by type and mid word, of all time": [ever(window("mid", type=kind())) for _ in range(count)],
        "by verdict, stance and source": [
            ever(window(None, verdict=("contradicted",), stance=("denies",), source=("source7",))) for _ in range(count)
        ],
        "by platform and mid word": [ever(window("mid", platform=("tiktok",))) for _ in range(count)],
    }


def _p(share: float, ask: Callable[[Filters], Awaitable[None]], asked: list[Filters]) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        took = []
        for filters in asked:
            started = time.perf_counter()
            await ask(filters)
            took.append((time.perf_counter() - started) * 1000)
        return quantile(took, share)

    return once
