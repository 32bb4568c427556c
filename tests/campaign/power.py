"""A power cut under Redis: the process is gone, and of its file what was not yet synced."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.servers import RedisServer

UNSYNCED_S = 1.0
LOOK_S = 0.05
POSTS_WITHIN_S = 10.0  # for a post to be among what is lost
POST = b"\r\n$4\r\nXADD\r\n$25\r\nexowatch:v1:{p0}:mentions\r\n"  # as the file has it


async def lose_the_last_second(redis: RedisServer, after_s: float) -> tuple[int, int]:
    """Kills the server after so many seconds, and shortens its append-only file to what it was a second before; the bytes and
    the posts lost.

    With `appendfsync everysec` that much may be lost; a kill alone loses nothing, since the kernel has it. Where no post came
    within the last second it waits for one, and after `POSTS_WITHIN_S` loses what there is.
    """
    sizes: list[tuple[float, Path, int]] = []
    over = time.monotonic() + max(after_s, UNSYNCED_S + 0.2)
    while time.monotonic() < over or (time.monotonic() < over + POSTS_WITHIN_S and not _posts_in(_unsynced(sizes)[1])):
        file = _present_file(redis.folder)
        sizes.append((time.monotonic(), file, file.stat().st_size))
        await asyncio.sleep(LOOK_S)
    await asyncio.to_thread(redis.kill)
    file, tail = _unsynced(sizes)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - len(tail))
    return len(tail), _posts_in(tail)


def _unsynced(sizes: list[tuple[float, Path, int]]) -> tuple[Path, bytes]:
    """The file, and what was added to it within the last second."""
    before = time.monotonic() - UNSYNCED_S
    _, file, size = [one for one in sizes if one[0] <= before][-1]
    with file.open("rb") as opened:
        opened.seek(size)
        return file, opened.read()


def _posts_in(tail: bytes) -> int:
    return tail.upper().count(POST.upper())


def _present_file(folder: Path) -> Path:
    return sorted((folder / "appendonlydir").glob("*.incr.aof"), key=lambda one: one.stat().st_mtime)[-1]
