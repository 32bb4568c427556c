"""What a process stands on, the stream and the database: opened for it, and closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from monitor.datadir import private_folder
from monitor.embedded import DataDirError, EmbeddedRedis, EmbeddedRedisError, connect_running
from monitor.pause import cancelled
from monitor.settings import Settings
from monitor.store import Database, StoreError, StoreUnavailable
from monitor.stream import Stream, StreamError, StreamUnavailable


class DaemonError(Exception):
    """The daemon cannot start; the text says why and what to do."""


@asynccontextmanager
async def opened(settings: Settings, *, own: bool = True, joined: str | None = None) -> AsyncIterator[tuple[Stream, Database]]:
    """The stream and the migrated database of these settings, with the embedded server where no Redis is configured.

    With `own` this process becomes the daemon of `data_dir`; without, it joins a running daemon where there is one, and is it
    for a moment where there is none. `joined` is the address of that daemon's server, where it is known. Raises DaemonError.
    """
    async with AsyncExitStack() as stack:
        try:
            private_folder(settings.data_dir)
            url = settings.redis.url or joined or (None if own else connect_running(settings.data_dir))
            if not url:
                server = await stack.enter_async_context(EmbeddedRedis(settings.data_dir))
                url = server.url
                watcher = asyncio.create_task(server.watch())
                stack.push_async_callback(cancelled, watcher)
            stream = await Stream.open(url, settings.redis.partitions)
            stack.push_async_callback(stream.close)
            database = Database(settings.sqlalchemy_url)
            stack.push_async_callback(database.close)
            await database.migrate()
        except (StreamError, StoreError, DataDirError, EmbeddedRedisError) as error:
            raise DaemonError(str(error).rstrip(".") + _mend(error, settings)) from None
        yield stream, database


def _mend(error: Exception, settings: Settings) -> str:
    """What to do where a server of the operator's own is away, and the error itself says nothing of that."""
    if isinstance(error, StreamUnavailable) and settings.redis.url and ";" not in str(error):
        return "; start it, or set another redis.url"
    if isinstance(error, StoreUnavailable) and settings.store.url and ";" not in str(error):
        return "; start it, or set another store.url"
    return ""
