"""A backup of an installation: one file, made while the daemon runs, and put back into an empty data folder.

In it are the stream (cursors, what waits, what was seen), the record and the keys, taken in this order. What the stream counts as
heard so waits in the backup or stands in its record; what was heard between the two is merely fetched again. Put back, the record
comes before the stream, for the same reason. A record in PostgreSQL is not in it: pg_dump takes it afterwards, and pg_restore
puts it back before. Config and topic pack are the user's own files and not in it either.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import msgspec

from monitor import __version__
from monitor.datadir import private_folder
from monitor.embedded import EmbeddedRedis, connect_running
from monitor.moving import check_unused, contents, contents_of, stopped
from monitor.settings import Settings
from monitor.store import Database
from monitor.store.copying import is_empty
from monitor.stream.contents import Contents, Piece
from monitor.times import now_ms, rfc3339

_FORMAT = 1
_LABEL, _STREAM, _RECORD = "backup.json", "stream.jsonl", "exowatch.sqlite"
_KEYS = ("author.key", "login.key")
_STAGED = ".restoring"


class BackupError(Exception):
    """A backup cannot be made or put back; the text says why and what to do."""


class Label(msgspec.Struct, frozen=True):
    """What a backup says of itself. `partitions`: of the stream; `record`: whether that is in it; `found`: what is, by kind."""

    format: int
    program: str
    made_at: str
    partitions: int
    record: bool
    found: dict[str, int]


async def back_up(settings: Settings, file: Path, *, keys: bool = True) -> Label:
    """Makes a backup, with the keys or without, whether or not a daemon runs.

    Raises BackupError, DataDirError, EmbeddedRedisError, StreamError.
    """
    record = _record_of(settings)
    _check_places(record, file)
    try:
        with _folder_beside(file) as made:
            folder = Path(made)
            async with _stream_here(settings) as stream:
                partitions = await stream.partitions() or settings.redis.partitions
                found = await _write_stream(stream, folder / _STREAM)
            if record is not None:
                found |= await asyncio.to_thread(_copy_record, record, folder / _RECORD)
            for key in _KEYS if keys else ():
                if (settings.data_dir / key).exists():
                    shutil.copyfile(settings.data_dir / key, folder / key)
            label = Label(_FORMAT, __version__, rfc3339(now_ms()), partitions, record is not None, found)
            (folder / _LABEL).write_bytes(msgspec.json.encode(label))
            await asyncio.to_thread(_pack, folder, folder / "whole")
            _check_places(record, file)
            (folder / "whole").rename(file)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror}; name another file") from None
    return label


async def restore(settings: Settings, file: Path) -> Label:
    """Puts a backup back into a data folder (and, where one is configured, a Redis) that holds nothing yet.

    Nothing has its place before all of it is known to be good. Raises BackupError, DataDirError, AlreadyRunning,
    EmbeddedRedisError, StoreError, StreamError.
    """
    data_dir, record = settings.data_dir, _record_of(settings)
    with stopped(data_dir):
        _check_free(record, data_dir / "redis")
        staged = data_dir / _STAGED
        staged_record = private_folder(record.parent) / f".{record.name}{_STAGED}" if record else None
        try:
            _remove(staged, staged_record)
            label = await asyncio.to_thread(_unpack, file, private_folder(staged))
            if label.record != (record is not None):
                raise BackupError(f"{file} {_MISMATCH[label.record]}")
            _check_keys(staged, data_dir)
            if staged_record is not None:
                await asyncio.to_thread(_move, staged / _RECORD, staged_record)
                await _check_record(staged_record, file)
            else:
                await _check_put_back(settings)
            if settings.redis.url:
                async with contents(settings.redis.url) as own:
                    await check_unused(own)
                    await _put_stream(staged / _STREAM, own)
                    _place(staged, data_dir, staged_record, record)
                    await own.finish(label.partitions)
            else:
                async with EmbeddedRedis(staged) as server, contents(server.url) as stream:
                    await _put_stream(staged / _STREAM, stream)
                    await stream.finish(label.partitions)
                _place(staged, data_dir, staged_record, record)
                (staged / "redis").replace(data_dir / "redis")
        except OSError as error:
            raise BackupError(f"{file} cannot be put into {data_dir}: {error.strerror or error}") from None
        finally:
            _remove(staged, staged_record)
    return label


_MISMATCH = {
    True: "holds a record of SQLite: put it back with an empty store.url, and then move it with `exowatch migrate --to-store`",
    False: "holds no record, since that was in PostgreSQL: set store.url to where pg_restore has put it back",
}


def _check_places(record: Path | None, file: Path) -> None:
    if record is not None and not record.exists():
        raise BackupError(f"there is no database at {record}, so there is nothing to back up; see --config and data_dir")
    if file.exists():
        raise BackupError(f"{file} is there already; name another file")


def _check_free(*places: Path | None) -> None:
    for place in places:
        if place is not None and place.exists() and not (place.is_dir() and not any(place.iterdir())):
            raise BackupError(f"{place} is there already: a backup is put into an empty data folder, so set another data_dir")


def _check_keys(staged: Path, data_dir: Path) -> None:
    """A key may be there before, as where it is kept apart from backups; but not another one."""
    for key in _KEYS:
        if (staged / key).exists() and (data_dir / key).exists() and (staged / key).read_bytes() != (data_dir / key).read_bytes():
            raise BackupError(f"{data_dir / key} is there already and is another one than the backup's; set another data_dir")


async def _check_put_back(settings: Settings) -> None:
    """That the record is there that belongs to the stream: cursors without it would skip what it lacks. Raises BackupError."""
    database = Database(settings.sqlalchemy_url)
    try:
        if await is_empty(database):
            raise BackupError(f"the database {database.where} holds no record: put it back with pg_restore first, then this")
    finally:
        await database.close()


def _place(staged: Path, data_dir: Path, staged_record: Path | None, record: Path | None) -> None:
    """Gives record and keys their places; the stream comes after them."""
    if staged_record is not None and record is not None:
        staged_record.replace(record)
    for key in _KEYS:
        if (staged / key).exists():
            (staged / key).replace(data_dir / key)


def _folder_beside(file: Path) -> tempfile.TemporaryDirectory[str]:
    """Where a file is made that then takes its name; only its owner may enter."""
    return tempfile.TemporaryDirectory(prefix=".exowatch-backup-", dir=file.absolute().parent)


def _record_of(settings: Settings) -> Path | None:
    """The database's file; None where it is PostgreSQL's."""
    database = Database(settings.sqlalchemy_url)
    return Path(database.url.database) if database.dialect == "sqlite" and database.url.database else None


@asynccontextmanager
async def _stream_here(settings: Settings) -> AsyncIterator[Contents]:
    """The stream of the daemon that runs, or of its server started for it."""
    running = None if settings.redis.url else connect_running(settings.data_dir)
    if running:
        async with contents(running) as stream:
            yield stream
    elif settings.redis.url:
        async with contents(settings.redis.url) as stream:
            yield stream
    else:
        with stopped(settings.data_dir) as lock:
            async with contents_of(settings, lock) as stream:
                yield stream


async def _write_stream(stream: Contents, file: Path) -> dict[str, int]:
    """Writes it a part a line; how much there is, by kind."""
    found = Counter[str]({"cursors": 0, "waiting": 0, "dead": 0})
    with file.open("wb") as out:
        async for piece in stream.pieces():
            out.write(msgspec.json.encode(piece) + b"\n")
            found[piece.what] += len(piece.rows)
    del found[""]
    return dict(found)


async def _put_stream(file: Path, stream: Contents) -> None:
    with file.open("rb") as lines:
        for line in lines:
            await stream.put(msgspec.json.decode(line, type=Piece))


def _copy_record(record: Path, to: Path) -> dict[str, int]:
    """A consistent copy of a database that others may be writing to; how much is in it."""
    try:
        with closing(sqlite3.connect(record, timeout=60)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # so that one file holds all
            return {
                f"{name}s": copy.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in ("mention", "claim", "alert")
            }
    except sqlite3.Error as error:
        raise BackupError(f"the database {record} cannot be copied: {error}") from None


async def _check_record(record: Path, file: Path) -> None:
    """That the copy is whole and of this program or an earlier one; it is brought up to date. Raises BackupError, StoreError."""
    try:
        with closing(sqlite3.connect(record)) as opened:
            (said,) = opened.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        raise BackupError(f"the database in {file} is damaged ({' '.join(said.split())}); take another backup")
    database = Database(f"sqlite+aiosqlite:///{record}")
    try:
        await database.migrate()
    finally:
        await database.close()


def _pack(folder: Path, to: Path) -> None:
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=3) as packed:
            for name in (_LABEL, _STREAM, *_KEYS, _RECORD):
                if (folder / name).exists():
                    packed.add(folder / name, name, filter=_anonymous)
        out.flush()
        os.fsync(out.fileno())


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _unpack(file: Path, folder: Path) -> Label:
    """Writes what we know of a backup into the folder. Raises BackupError."""
    try:
        with _opened(file) as packed:
            for member in packed:
                if member.size > (free := shutil.disk_usage(folder).free):
                    raise BackupError(
                        f"{file} unpacks to more than the {free // 1_000_000:,} MB that are free; make room in {folder}"
                    )
                inside = packed.extractfile(member) if member.name in (_LABEL, _STREAM, _RECORD, *_KEYS) else None
                if inside is not None:
                    with (
                        inside,
                        os.fdopen(os.open(folder / member.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out,
                    ):
                        shutil.copyfileobj(inside, out, 1 << 20)
        label = msgspec.json.decode((folder / _LABEL).read_bytes(), type=Label)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, msgspec.DecodeError):
        raise BackupError(f"{file} is no backup of exowatch, or not a whole one") from None
    except FileNotFoundError:
        raise BackupError(f"there is no backup {file}" if not file.exists() else f"{file} is no backup of exowatch") from None
    if label.format > _FORMAT:
        raise BackupError(f"{file} was made by a newer exowatch ({label.program}): use the newer program")
    if (label.record and not (folder / _RECORD).exists()) or not (folder / _STREAM).exists():
        raise BackupError(f"{file} is no backup of exowatch, or not a whole one")
    return label


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    with tarfile.open(file, "r:gz") as packed:
        yield packed


def _move(source: Path, target: Path) -> None:
    shutil.move(source, target)


def _remove(staged: Path, staged_record: Path | None) -> None:
    shutil.rmtree(staged, ignore_errors=True)
    if staged_record is None:
        return
    for ending in ("", "-wal", "-shm", "-journal"):
        Path(f"{staged_record}{ending}").unlink(missing_ok=True)
