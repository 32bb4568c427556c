"""Worker processes beside the daemon, for machines with more than one core."""

from __future__ import annotations

import asyncio
import sys

import structlog

from monitor.pause import pause
from monitor.restarts import Restarts
from monitor.settings import Settings

log = structlog.get_logger()

_STOP_WITHIN_S = 10.0


async def keep_worker(settings: Settings, number: int, stop: asyncio.Event, restarts: Restarts | None = None) -> None:
    """Keeps one `exowatch work` running until `stop` is set; one that ends by itself is started again, with a pause that grows
    while it keeps ending.

    The child ends with its parent, however that ends: it stops when the pipe on its standard input is closed.
    """
    restarts = restarts or Restarts()
    while not stop.is_set():
        restarts.started()
        command = (sys.executable, "-m", "monitor", "work", "--with-parent", "--config", str(settings.file))
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL)
        log.info("worker started", worker=number, pid=process.pid)
        ended, stopping = asyncio.ensure_future(process.wait()), asyncio.ensure_future(stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await _end(process)
            return
        after_s = restarts.rest()
        log.error(
            "a worker process ended by itself, starting it again", worker=number, status=process.returncode, after_s=after_s
        )
        await pause(stop, after_s)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
