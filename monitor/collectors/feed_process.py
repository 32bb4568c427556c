"""The caller's side of `feed_parse`: one short-lived process a changed feed, with a deadline.

A start costs about a tenth of a second of one core, which is spent only when a body has changed. The process gets none of the
daemon's environment, where secrets may be.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from weakref import WeakKeyDictionary

import msgspec
import structlog

from monitor.collectors.base import SourceError
from monitor.collectors.feed_parse import Request, Result

DEADLINE = 30.0  # seconds of wall time; the process also limits its own processor time
AT_ONCE = 4  # processes, however many feeds change in the same moment
_ROOT = Path(__file__).resolve().parents[2]
_log = structlog.get_logger()
_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def parse_apart(body: bytes, request: Request, *, deadline: float = DEADLINE) -> Result:
    """`feed_parse.parse` in a process of its own. Raises SourceError where it does not end well within `deadline` seconds."""
    slot = _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
    async with slot:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # modules are not looked for in the working directory
            "-m",
            "monitor.collectors.feed_parse",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"},
        )
        try:
            async with asyncio.timeout(deadline):
                out, err = await process.communicate(msgspec.json.encode(request) + b"\n" + body)
        except TimeoutError:
            raise SourceError(f"the feed takes more than {deadline:g} s to read; it is broken or hostile") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        lines = err.decode("utf-8", "replace").strip().splitlines()
        _log.warning("feed parser failed", status=process.returncode, error=lines[-1][:300] if lines else "")
        raise SourceError("the feed cannot be read: its parser gave up, so it is broken or hostile")
    return msgspec.json.decode(out, type=Result)
