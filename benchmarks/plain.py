"""The peers of the store: sqlite3 and asyncpg by themselves, writing the same rows and reading the same pages."""

from __future__ import annotations

import sqlite3
from typing import Any, Protocol

import asyncpg

from benchmarks.plain_rows import Rows, statements
from monitor.store import Filters
from monitor.store.filters import number_range
from monitor.store.search import _fts5, _tsquery

_ORDER = ("claims", "mentions", "texts", "words", "platforms", "occurrences", "alerts")


class Plain(Protocol):
    """One database through its plain driver."""

    name: str

    async def insert(self, rows: Rows) -> None:
        """The rows, in one transaction."""
        ...

    async def page(self, filters: Filters) -> int:
        """The rows of one page of mentions by time, type and text, with their occurrences; how many mentions."""
        ...

    async def analyse(self) -> None:
        """What the database does by itself after a while of writing."""
        ...

    async def close(self) -> None: ...


class PlainSqlite:
    """sqlite3, without threads and event loop, with the same settings as the store's."""

    name = "sqlite3"

    def __init__(self, file: str) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -16000"):
            self._db.execute(f"PRAGMA {setting}")
        self._sql = statements("sqlite")

    async def insert(self, rows: Rows) -> None:
        db, sql = self._db, self._sql
        db.execute("BEGIN IMMEDIATE")
        for name in _ORDER:
            db.executemany(sql[name], getattr(rows, name))
        for claim_id, authors in rows.authors.items():
            before = db.total_changes
            db.executemany(sql["authors"], authors)
            if db.total_changes > before:
                db.execute(sql["counts"], (db.total_changes - before, claim_id))
        db.execute("COMMIT")

    async def page(self, filters: Filters) -> int:
        low, high = number_range(filters)
        found = self._db.execute(
            "SELECT rowid FROM mention_search WHERE mention_search MATCH ? AND rowid >= ? AND rowid < ? AND EXISTS"
            " (SELECT 1 FROM occurrence WHERE mention_id = mention_search.rowid AND type = ?) ORDER BY rowid DESC LIMIT 51",
            (_fts5(filters.text), low, high, filters.type[0]),
        )
        numbers = [number for (number,) in found][:50]
        marks = ", ".join("?" * len(numbers))
        for query in _LOAD:
            self._db.execute(query.format(f"IN ({marks})"), numbers).fetchall()
        return len(numbers)

    async def analyse(self) -> None:
        self._db.execute("PRAGMA optimize")

    async def close(self) -> None:
        self._db.close()


_LOAD = (
    "SELECT m.*, t.text FROM mention m LEFT JOIN mention_text t ON t.mention_id = m.id WHERE m.id {}",
    (
        "SELECT o.*, c.claim, c.evidence, c.entry FROM occurrence o JOIN claim c ON c.id = o.claim_id"
        " WHERE o.mention_id {} ORDER BY o.mention_id, o.n"
    ),
)


class PlainPostgres:
    """asyncpg on one connection."""

    name = "asyncpg"

    def __init__(self, connection: Any) -> None:
        self._db = connection
        self._sql = statements("postgresql")

    @classmethod
    async def open(cls, url: str) -> PlainPostgres:
        return cls(await asyncpg.connect(url))

    async def insert(self, rows: Rows) -> None:
        db, sql = self._db, self._sql
        async with db.transaction():
            for name in _ORDER:
                await db.executemany(sql[name], getattr(rows, name))
            for claim_id, authors in rows.authors.items():
                new = await db.fetch(
                    "INSERT INTO claim_author (claim_id, platform, author) SELECT $1, p, a FROM unnest($2::text[], $3::text[])"
                    " AS t (p, a) ON CONFLICT DO NOTHING RETURNING 1",
                    claim_id, [platform for _, platform, _ in authors], [author for _, _, author in authors],
                )  # fmt: skip
                if new:
                    await db.execute(sql["counts"], len(new), claim_id)

    async def page(self, filters: Filters) -> int:
        low, high = number_range(filters)
        found = await self._db.fetch(
            "SELECT id FROM mention_search WHERE words @@ $1::tsquery AND id >= $2 AND id < $3 AND tags && $4::text[]"
            " ORDER BY id DESC LIMIT 51",
            _tsquery(filters.text), low, high, [f"type:{filters.type[0]}"],
        )  # fmt: skip
        numbers = [row["id"] for row in found][:50]
        for query in _LOAD:
            await self._db.fetch(query.format("= ANY($1::bigint[])"), numbers)
        return len(numbers)

    async def analyse(self) -> None:
        await self._db.execute("ANALYZE")

    async def close(self) -> None:
        await self._db.close()
