"""Moves a stopped installation to other servers: its record to another database, its stream to another Redis.

The stream goes first, in steps that may be repeated, the record after it in one transaction, and last of all the stream is marked
as complete. So a move that broke off anywhere can be run again; the servers that were left are not changed by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from monitor import alive
from monitor.datadir import AlreadyRunning, DataDirLock
from monitor.embedded import EmbeddedRedis
from monitor.settings import Settings
from monitor.store import Database
from monitor.store.copying import check_empty, copy
from monitor.stream import StreamError
from monitor.stream.contents import Contents

Progress = Callable[[str, int], None]  # what goes over, and how much of it just now


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What there is now at the new places: rows by table, what the stream holds by kind; None for what was not moved."""

    rows: dict[str, int] | None = None
    stream: dict[str, int] | None = None


@contextmanager
def stopped(data_dir: Path) -> Iterator[DataDirLock]:
    """Holds the data folder, on which no process of exowatch works meanwhile. Raises AlreadyRunning, DataDirError."""
    with DataDirLock(data_dir) as lock:
        for role, pid, _ in alive.living(data_dir):
            raise AlreadyRunning(f"exowatch {role} (process {pid}) works on {data_dir}; stop it first")
        yield lock


async def move(settings: Settings, progress: Progress, *, store: str | None, redis: str | None) -> Moved:
    """Moves the record to the database and the stream to the Redis at these addresses, or only one of them.

    `store` is an address as SQLAlchemy has it. Raises AlreadyRunning, DataDirError, EmbeddedRedisError, StoreError, StreamError.
    """
    with stopped(settings.data_dir) as lock:
        async with AsyncExitStack() as stack:
            old = new = None
            if redis is not None:
                old = await stack.enter_async_context(contents_of(settings, lock))
                new = await stack.enter_async_context(contents(redis))
                await check_unused(new)
            source = target = None
            if store is not None:
                source, target = Database(settings.sqlalchemy_url), Database(store)
                stack.push_async_callback(source.close)
                stack.push_async_callback(target.close)
                for database in (source, target):
                    await database.migrate()
                await check_empty(target)
            stream = await _carried(old, new, progress) if old and new else None
            rows = await copy(source, target, progress) if source and target else None
            if old and new:
                await new.finish(await old.partitions() or settings.redis.partitions)
            return Moved(rows=rows, stream=stream)


async def _carried(old: Contents, new: Contents, progress: Progress) -> dict[str, int]:
    """Copies the stream; how many of each kind there were."""
    found = Counter[str]({"cursors": 0, "waiting": 0, "dead": 0})
    async for piece in old.pieces():
        count = await new.put(piece)
        found[piece.what] += count
        progress("stream", count)
    del found[""]
    return dict(found)


async def check_unused(new: Contents) -> None:
    """Raises StreamError where exowatch has put anything there."""
    if await new.partitions():
        raise StreamError(
            f"Redis at {new.where} has been used by exowatch before; name one that is empty, or another database of it"
        )


@asynccontextmanager
async def contents_of(settings: Settings, lock: DataDirLock) -> AsyncIterator[Contents]:
    """The stream of this installation, with its embedded server started for it."""
    async with AsyncExitStack() as stack:
        url = settings.redis.url
        if not url:
            url = (await stack.enter_async_context(EmbeddedRedis(settings.data_dir, lock=lock))).url
        yield await stack.enter_async_context(contents(url))


@asynccontextmanager
async def contents(url: str) -> AsyncIterator[Contents]:
    """What the Redis at this address keeps, for as long as the block."""
    opened = Contents(url)
    try:
        yield opened
    finally:
        await opened.close()
