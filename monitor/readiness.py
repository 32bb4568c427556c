"""Whether the daemon can do its work, and where it cannot, which part, why, and what to do."""

from __future__ import annotations

import asyncio
import shutil

import msgspec

from monitor import watchdog
from monitor.settings import Settings
from monitor.store import Database, StoreError
from monitor.stream import Stream, StreamError

FULL_BYTES = 64 * 1024**2  # less than this left: nothing more can be relied on
LOW_BYTES = 1024**3  # and less than this, where it is also less than LOW_SHARE of the disk, is worth a word
LOW_SHARE = 0.05


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a part, and what to do. `failing`: the work cannot be done; else it goes on as it is."""

    part: str
    problem: str
    mend: str
    failing: bool = True


class Readiness:
    """Looks at the parts of one process. `pack_error`: why the changed topic pack cannot be used, where it cannot."""

    def __init__(self, settings: Settings, stream: Stream, database: Database) -> None:
        self._settings = settings
        self._stream = stream
        self._database = database
        self.pack_error: str | None = None

    async def troubles(self) -> list[Trouble]:
        """What is wrong now."""
        found = [await self._of_stream(), await self._of_database(), self._of_pack(), await asyncio.to_thread(self._of_disk)]
        return [one for one in found if one is not None] + [
            Trouble(
                part=one.job,
                problem=f"this job has made no progress for {one.silent_s:.0f} s",
                mend="read what the log says of it; where it does not go on, restart this process: nothing is lost by that",
            )
            for one in watchdog.late()
        ]

    async def _of_stream(self) -> Trouble | None:
        try:
            await self._stream.ping()
        except StreamError as error:
            where = "redis.url" if self._settings.redis.url else "the embedded redis-server, which is started again by itself"
            mend = f"look at {where}; posts wait with their sources meanwhile"
            return Trouble(part="stream", problem=f"Redis cannot be used: {error}", mend=mend)
        return None

    async def _of_database(self) -> Trouble | None:
        try:
            async with self._database.read() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except StoreError as error:
            mend = "look at the server of store.url, or at who locks the file; posts wait in the stream meanwhile"
            return Trouble(part="database", problem=f"the database cannot be used: {error}", mend=mend)
        return None

    def _of_pack(self) -> Trouble | None:
        if self.pack_error is None:
            return None
        mend = "mend its files (`exowatch check` reads them too); posts are judged by the one before it until then"
        problem = f"the changed topic pack cannot be used: {self.pack_error}"
        return Trouble(part="topic pack", problem=problem, mend=mend, failing=False)

    def _of_disk(self) -> Trouble | None:
        if self._settings.redis.url and self._settings.store.url:
            return None  # nothing of any size is kept here
        try:
            disk = shutil.disk_usage(self._settings.data_dir)
        except OSError:
            return None
        return of_disk(disk.free, disk.total)


def of_disk(free: int, total: int) -> Trouble | None:
    """What to say of a disk of `total` bytes with so many `free`."""
    if free >= FULL_BYTES and (free >= LOW_BYTES or free >= total * LOW_SHARE):
        return None
    return Trouble(
        part="disk",
        problem=f"the disk of data_dir has {free // 1024**2} MiB left",
        mend="make room there, or keep texts for a shorter time (store.retain_text)",
        failing=free < FULL_BYTES,
    )
