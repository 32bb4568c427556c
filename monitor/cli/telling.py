"""Tells a daemon that runs what a command has changed, so that pages that are open elsewhere look again."""

from __future__ import annotations

from monitor.embedded import connect_running
from monitor.settings import Settings
from monitor.stream import Signal, Stream, StreamError

TIMEOUT_S = 2.0


async def tell(settings: Settings, *signals: Signal) -> None:
    """Signals, where there is a server to tell; where there is none, nobody listens, and what was done is done all the same."""
    url = settings.redis.url or connect_running(settings.data_dir)
    if not url:
        return
    try:
        stream = await Stream.open(url, settings.redis.partitions, timeout_s=TIMEOUT_S)
    except StreamError:
        return
    try:
        await stream.signal(*signals)
    finally:
        await stream.close()
