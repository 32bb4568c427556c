"""Files that are put into a folder: CSV and JSONL, read once, and again from where it ended when one grows.

The cursor holds, for each file that is there, how far it was read. A file of which nothing more is there than was read is not
opened. The last line of a file that is still being written is left until it has its end.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Kind, SourceError
from monitor.collectors.budget import Budgets
from monitor.collectors.feed import read_cursor
from monitor.post_files import SUFFIXES, Row, read_posts
from monitor.settings.sources import FolderSource
from monitor.words import Post

BATCH = 500
MAX_FILES = 1_000
STILL_S = 2.0  # a file that was changed less than this ago may be in the middle of being written
_log = structlog.get_logger()


class _File(msgspec.Struct, frozen=True, array_like=True):
    """How far a file was read: bytes, and the file's number on its disk, since another may take its name."""

    read: int
    inode: int


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    files: dict[str, _File] = {}


class FolderCollector:
    """A source of kind `folder`."""

    def __init__(self, source: FolderSource) -> None:
        self._name = source.name
        self._folder = Path(source.path)
        self._platform = source.platform

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """What is new in the folder, file by file in the order of their names; see `Collector.poll`."""
        known = read_cursor(cursor, _Cursor).files
        files = await asyncio.to_thread(self._listed)
        done = {name: known[name] for name in files if name in known}  # what is gone need not be remembered
        for name, path in files.items():
            rows = self._rows(path, done.get(name))
            try:
                while some := await asyncio.to_thread(_some, rows):
                    done[name] = some[-1][1]
                    posts = [post for row, _ in some if (post := self._post(name, row)) is not None]
                    yield Batch(posts=posts, cursor=_text(done))
            except OSError as error:
                raise SourceError(f"the file {name} cannot be read: {error.strerror}") from None
            finally:
                rows.close()
        yield Batch(cursor=_text(done))

    async def close(self) -> None:
        """Nothing stays open between polls."""

    def _listed(self) -> dict[str, Path]:
        """The files to be read, by name. Raises SourceError."""
        try:
            found = sorted(path for path in self._folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
        except OSError as error:
            raise SourceError(f"the folder {self._folder} cannot be read: {error.strerror}; make it, or set path") from None
        files = [path for path in found if not path.name.startswith(".")]
        if len(files) > MAX_FILES:
            _log.warning("folder has too many files", source=self._name, files=len(files), read=MAX_FILES)
        return {path.name: path for path in files[:MAX_FILES]}

    def _rows(self, path: Path, before: _File | None) -> Generator[tuple[Row, _File], None, None]:
        """The rows of a file after what was read of it, each with how far it is then read."""
        state = path.stat()
        start = before.read if before is not None and before.inode == state.st_ino and before.read <= state.st_size else 0
        if start == state.st_size:
            return
        young = time.time() - state.st_mtime < STILL_S
        is_csv = path.suffix.lower() == ".csv"
        if young and is_csv:
            return  # where its last row ends cannot be told
        with path.open("rb") as file:
            skipped = 0 if is_csv else start
            file.seek(skipped)
            for row in read_posts(file, path.name, self._platform):
                end = skipped + row.end
                if end <= start:  # of CSV, whose names stand in its first line
                    continue
                if end > state.st_size or (young and end == state.st_size and not _ends_a_line(path, end)):
                    return
                yield row, _File(end, state.st_ino)

    def _post(self, name: str, row: Row) -> Post | None:
        if row.post is None:
            _log.warning("line left out", source=self._name, file=name, line=row.number, error=row.error)
        return row.post


def _some(rows: Generator[tuple[Row, _File], None, None]) -> list[tuple[Row, _File]]:
    return list(itertools.islice(rows, BATCH))


def _ends_a_line(path: Path, end: int) -> bool:
    with path.open("rb") as file:
        file.seek(end - 1)
        return file.read(1) == b"\n"


def _text(files: dict[str, _File]) -> str:
    return msgspec.json.encode(_Cursor(files=files)).decode()


def _open(source: FolderSource, _: Budgets) -> FolderCollector:
    return FolderCollector(source)


def _access(source: FolderSource) -> Access:
    return Access(works=f"files of posts in {source.path}")


KIND = Kind(open=_open, access=_access)
