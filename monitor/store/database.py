"""Connections to the database: who writes, who reads, and which revision the schema has.

SQLite lets one writer in at a time, so this process writes through one connection that takes the lock when it begins
(`BEGIN IMMEDIATE`: waiting at the start cannot deadlock, waiting half-way can), and reads through others that it never blocks
(write-ahead log). PostgreSQL takes the same calls through an ordinary pool.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import msgspec
import stamina
import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

log = structlog.get_logger()

T = TypeVar("T")

# To give way now and then is how writers share a database: no news, and nothing that a command should print among its answers.
stamina.instrumentation.set_on_retry_hooks(())
_TRIES = 6
_BUSY_MS = 5_000  # how long a writer waits for another process's transaction before it gives up
_LOOK_MS = 50
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x65786F77  # of PostgreSQL's advisory locks: "exow"


class StoreError(Exception):
    """The database cannot be used; the text says why and what to do."""


class StoreUnavailable(StoreError):  # noqa: N818 - a state that passes, not a fault of the caller
    """The database is down, locked or full: try again later, nothing was written."""


class StoreContended(StoreUnavailable):
    """This transaction had to give way to another writer (PostgreSQL): try again at once, nothing was written."""


class Database:
    """The two ways to the database, and the name of its dialect (`sqlite` or `postgresql`)."""

    def __init__(self, url: str) -> None:
        self.url = _usable(url)
        self.where = _shown(self.url)  # for messages: without password and options
        self.dialect = self.url.get_backend_name()
        if self.dialect == "sqlite":
            self._writer = _sqlite_engine(self.url, writer=True)
            self._reader = _sqlite_engine(self.url, writer=False)
        else:
            self._writer = self._reader = _postgresql_engine(self.url)
        self._turn: AbstractAsyncContextManager[Any] = asyncio.Lock() if self.dialect == "sqlite" else nullcontext()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back on any exception. Raises StoreUnavailable."""
        # On SQLite writers wait here, in order, and not in its busy loop.
        async with self._turn, self._connected(self._writer) as connection:
            yield connection

    async def write_again(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Does `work` in a transaction, and from its beginning again where it had to give way to another writer. Raises
        StoreUnavailable, and what the work raises."""
        async for attempt in stamina.retry_context(
            on=StoreContended, attempts=_TRIES, timeout=None, wait_initial=0.05, wait_max=1.0, wait_jitter=0.1
        ):
            with attempt:
                async with self.write() as connection:
                    return await work(connection)
        raise AssertionError

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for reading: one consistent picture. Raises StoreUnavailable."""
        async with self._connected(self._reader) as connection:
            yield connection

    async def migrate(self) -> None:
        """Brings the schema to this program's revision; several processes may try at once. Raises StoreError."""
        if self.dialect == "sqlite" and self.url.database:
            _private_folder(Path(self.url.database).parent)
        try:
            if await self._is_of_this_revision():
                return  # without the writer's lock, which another process may hold for long
            if self.dialect == "sqlite" and self.url.database:
                _private_file(Path(self.url.database))
            async with self.write() as connection:
                if self.dialect == "postgresql":
                    await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
                await connection.run_sync(_upgrade)
        except DBAPIError as error:
            raise StoreError(f"the database {self.where} cannot be used: {reason_of(error)}; check store.url") from error

    async def _is_of_this_revision(self) -> bool:
        file = self.url.database if self.dialect == "sqlite" else None
        if file and not await asyncio.to_thread(Path(file).exists):
            return False
        async with self.read() as connection:
            return await connection.run_sync(_revision) == _newest()

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if _passes(error):
                if _gave_way(error):
                    raise StoreContended(f"another writer of the database {self.where} went first: {reason_of(error)}") from error
                check = "; check store.url" if _refused(error) else ""
                raise StoreUnavailable(f"the database {self.where} cannot be used now: {reason_of(error)}{check}") from error
            raise
        except OSError as error:
            reason = re.sub(r"\[Errno -?\d+\] ", "", error.strerror or str(error))
            raise StoreUnavailable(f"the database {self.where} does not answer: {reason}") from error


def reason_of(error: DBAPIError) -> str:
    """What the database itself said, in one line."""
    return " ".join(re.sub(r"^<class '[^']*'>: ", "", str(error.orig)).split())[:300]


# PostgreSQL's codes for troubles that lie in the server, in the way to it or in who else writes (40: a deadlock that this one has
# to give way in), and never in what was asked of it.
_NOT_OURS = ("08", "28", "3D", "40", "53", "57P", "58", "25006", "42501")
_SQLITE_SIGNS = ("locked", "disk is full", "disk i/o", "readonly", "unable to open", "no space")


def _gave_way(error: DBAPIError) -> bool:
    """Whether PostgreSQL took the transaction back for another one's sake: a deadlock, or two that cannot both be."""
    return str(getattr(error.orig, "sqlstate", "")).startswith("40")


def _refused(error: DBAPIError) -> bool:
    """Whether PostgreSQL did not let us in: the user, the password or the database is not as it has them."""
    return str(getattr(error.orig, "sqlstate", "")).startswith(("28", "3D"))


def _passes(error: DBAPIError) -> bool:
    """Whether the trouble is the server's state (down, busy, full, closed to us) and not what was asked of it."""
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return str(code).startswith(_NOT_OURS)
    text = str(error.orig).lower()
    return any(sign in text for sign in (*_SQLITE_SIGNS, "connection", "shutting down", "starting up"))


def _usable(text: str) -> URL:
    """The address as SQLAlchemy and asyncpg take it. Raises StoreError."""
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise StoreError("store.url is not an address such as postgresql://user@host:5432/name") from None
    if url.get_backend_name() == "sqlite":
        return url
    if url.port is not None and not 0 < url.port < 65_536:
        raise StoreError(f"store.url names the port {url.port}; a port lies between 1 and 65535")
    if "sslmode" in url.query:  # libpq's word for it, which most addresses that one is given hold
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": url.query["sslmode"]})
    known = set(inspect.signature(asyncpg.connect).parameters) | {"prepared_statement_cache_size"}
    unknown = sorted(set(url.query) - known)
    if unknown:
        raise StoreError(
            f"store.url has the option {unknown[0]!r}, which is not known; sslmode, host and others of asyncpg's are"
        )
    return url


def _shown(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return url.database or "in memory"
    host = url.host or url.query.get("host") or "localhost"
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{host if isinstance(host, str) else host[0]}{port}/{url.database or ''}"


def _postgresql_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True, json_deserializer=msgspec.json.decode)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # After five times PostgreSQL would plan a statement once for all values: the same for a word that half of the mentions
        # hold as for one that ten hold, which is a thousand times slower. Planning anew costs a fifth of a millisecond.
        cursor = connection.cursor()
        cursor.execute("SET plan_cache_mode = force_custom_plan")
        cursor.close()
        connection.commit()

    return engine


def _sqlite_engine(url: URL, *, writer: bool) -> AsyncEngine:
    # One writing connection; a handful of reading ones.
    engine = create_async_engine(
        url,
        pool_size=1 if writer else 4,
        max_overflow=0,
        connect_args={"timeout": _BUSY_MS / 1000},
        json_deserializer=msgspec.json.decode,  # several times as fast as the standard library's
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        _write_ahead(cursor)
        cursor.execute("PRAGMA synchronous = FULL")  # what was committed is there after a power cut
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.execute("PRAGMA cache_size = -16000")
        if not writer:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _write_ahead(cursor: Any) -> None:
    """Sets the journal mode, which a file keeps. Only for this SQLite does not wait itself while another process writes."""
    for left in range(_BUSY_MS // _LOOK_MS, -1, -1):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if left == 0 or "locked" not in str(error):
                raise
            await_only(asyncio.sleep(_LOOK_MS / 1000))
        else:
            return


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the data folder {folder} cannot be made: {error.strerror}; set data_dir to one that can be written"
        ) from None


def _private_file(file: Path) -> None:
    """Makes an empty file for its owner alone where there is none: SQLite gives its journals the rights of the database.

    One that is there is not opened: to close it would end every lock that this process has on it, and SQLite in another process,
    seeing none, would remove the journal under ours.
    """
    with suppress(OSError):  # which SQLite then names
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_alembic())


@functools.cache
def _newest() -> str | None:
    """The revision that this program makes; to find it takes longer than to open a database."""
    return _scripts().get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = _alembic()
    config.attributes["connection"] = connection
    here = _revision(connection)
    newest = _newest()
    if here == newest:
        return
    if here is not None and here not in {script.revision for script in _scripts().walk_revisions()}:
        raise StoreError(
            f"the database was made by a newer exowatch (revision {here}); this one knows {newest}: use the newer program"
        )
    try:
        command.upgrade(config, "head")
    except SQLAlchemyError as error:
        if isinstance(error, DBAPIError) and _passes(error):
            raise
        reason = reason_of(error) if isinstance(error, DBAPIError) else error
        raise StoreError(f"the database could not be brought from revision {here} to {newest}: {reason}") from error
    log.info("database ready", revision=newest, before=here)
