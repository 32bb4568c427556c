"""The daemon as a process, started and stopped by a benchmark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from monitor.embedded import connect_running
from tests.daemon_process import DaemonProcess, running_daemon


@asynccontextmanager
async def daemon(folder: Path, hook: str | None = None, secret: str = "") -> AsyncIterator[DaemonProcess]:
    """`exowatch run` with all defaults on an empty data folder, and one endpoint where `hook` is given; ready."""
    parts = ['data_dir = "data"\n[api]\nport = 0\n']
    if hook:
        parts.append(
            f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "{hook}"\nsecret = "{secret}"\n'
            'events = ["claim.new"]\nallow_private = true\n'
        )
    config = folder / "monitor.toml"
    config.write_text("\n".join(parts))
    async with running_daemon(config) as running:
        yield running


async def resident_mb(running: DaemonProcess) -> float:
    """Resident memory of the daemon, of what it started, and of its redis-server, in MB; pages that are shared count twice."""
    url = connect_running(running.config.parent / "data")
    assert url is not None
    client = Redis.from_url(url)
    server = int((await client.info("server"))["process_id"])
    await client.aclose()
    return sum(_resident(pid) for pid in {running.pid, server, *_children(running.pid)}) / 1e6


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
