"""A disk that is full for a while: a small file system of its own where that may be mounted, else a limit to what is written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.checker import query

if TYPE_CHECKING:
    from tests.campaign.machines import Installation


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "256m") -> Iterator[bool]:
    """Mounts a file system of that size on the folder, and says whether that was allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "exowatch-campaign", str(folder)]
    allowed = os.getuid() == 0 and subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0
    try:
        yield allowed
    finally:
        if allowed:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def full_disk(of: str) -> Callable[[Installation, random.Random, float], Awaitable[str | None]]:
    """Fills the disk of Redis' file, or of the daemon's data folder, and makes room again."""

    async def filled(place: Installation, _: random.Random, lasts: float) -> None:
        if of == "redis":  # with `always` it would have to end itself, and not wait for room
            place.redis.ask("CONFIG", "SET", "appendfsync", "everysec")
        else:  # SQLite's journal has room of its own until it has to grow again
            await query(place.store_url, "PRAGMA wal_checkpoint(TRUNCATE)")
        if place.own_disk:
            async with filled_up(place.redis.folder if of == "redis" else place.folder / "place"):
                await asyncio.sleep(lasts)
        else:
            await _limited(place, lasts)
        if of == "redis":
            await _up_again(place)

    return filled


@contextlib.asynccontextmanager
async def filled_up(folder: Path) -> AsyncIterator[None]:
    """The file system of this folder has no room, until the end of the block."""
    ballast = folder / "ballast"
    try:
        await asyncio.to_thread(_fill, ballast)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def _fill(file: Path) -> None:
    """Writes until nothing more goes in."""
    piece = bytes(1 << 20)
    with file.open("wb", buffering=0) as out:
        with contextlib.suppress(OSError):
            while out.write(piece) == len(piece):
                pass
        with contextlib.suppress(OSError):
            while out.write(bytes(4_096)):
                pass


async def _limited(place: Installation, lasts: float) -> None:
    """Where nothing may be mounted: whoever writes there now may make no file longer than it is short."""
    over = time.monotonic() + lasts
    limited: set[int] = set()
    while time.monotonic() < over:
        with contextlib.suppress(ProcessLookupError):  # one that is just being started again
            for pid in place.writers():
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (8_192, resource.RLIM_INFINITY))
                limited.add(pid)
        await asyncio.sleep(0.1)
    for pid in limited:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def _up_again(place: Installation) -> None:
    """Where Redis ended itself, it is started again: with `appendfsync always` it has to when it cannot write."""
    if not await asyncio.to_thread(place.redis_answers):
        await asyncio.to_thread(place.redis.kill)
        await asyncio.to_thread(place.redis.start)
