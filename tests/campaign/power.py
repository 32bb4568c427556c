"""A power cut under Redis: the process is gone, and of its file what was not yet synced."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.servers import RedisServer

UNSYNCED_S = 1.0
LOOK_S = 0.05


async def lose_the_last_second(redis: RedisServer, after_s: float) -> int:
    """Kills the server after so many seconds, and shortens its append-only file to what it was a second before; the bytes lost.

    With `appendfsync everysec` that much may be lost; a kill alone loses nothing, since the kernel has it.
    """
    sizes: list[tuple[float, Path, int]] = []
    over = time.monotonic() + max(after_s, UNSYNCED_S + 0.2)
    while time.monotonic() < over:
        file = _present_file(redis.folder)
        sizes.append((time.monotonic(), file, file.stat().st_size))
        await asyncio.sleep(LOOK_S)
    await asyncio.to_thread(redis.kill)
    before = time.monotonic() - UNSYNCED_S
    _, file, size = [one for one in sizes if one[0] <= before][-1]
    lost = file.stat().st_size - size
    with file.open("r+b") as opened:
        opened.truncate(size)
    return lost


def _present_file(folder: Path) -> Path:
    return sorted((folder / "appendonlydir").glob("*.incr.aof"), key=lambda one: one.stat().st_mtime)[-1]
