"""A process with a watched event loop, for tests/test_watchdog.py: its job blocks the loop when a line says so."""

from __future__ import annotations

import asyncio
import sys
import time

from monitor import telemetry, watchdog
from monitor.systemd import Systemd

BLOCKS_S = 4.0


async def a_job_with_a_secret(secret: str) -> int:
    """Blocks, and so nothing else in this process runs."""
    time.sleep(BLOCKS_S)
    return len(secret)


async def main() -> None:
    """Says what becomes of it, a word a line."""
    systemd = Systemd.of()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with watchdog.watched(systemd, loop_stalls_after_s=2.0):
        systemd.ready()
        print("ready", flush=True)
        while line := await lines.readline():
            if line == b"block\n":
                await a_job_with_a_secret("hunter" + "2")
            print(f"stalls {telemetry.loop_stalls._value.get():g}", flush=True)
        systemd.stopping()


if __name__ == "__main__":
    telemetry.set_up_logging()
    asyncio.run(main())
