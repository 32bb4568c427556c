"""Tells open pages that deliveries were tried: one signal an endpoint, a few times a second at most, however many there are."""

from __future__ import annotations

import asyncio

from monitor.pause import pause
from monitor.stream import Signal, Stream

EVERY_S = 0.25


class Telling:
    """What was tried since it was last told. Without a stream nothing is told."""

    def __init__(self, stream: Stream | None) -> None:
        self._stream = stream
        self._endpoints: set[str] = set()
        self._any = asyncio.Event()

    def tried(self, endpoint: str) -> None:
        """Attempts at this endpoint are written down."""
        self._endpoints.add(endpoint)
        self._any.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Tells until `stop` is set; call `tried` or `close` to end the last wait."""
        while not stop.is_set():
            await self._any.wait()
            self._any.clear()
            await self._tell()
            await pause(stop, EVERY_S)
        await self._tell()

    def close(self) -> None:
        """Ends the wait for the next attempt."""
        self._any.set()

    async def _tell(self) -> None:
        names, self._endpoints = sorted(self._endpoints), set()
        if self._stream is not None:
            await self._stream.signal(*(Signal(kind="delivery", id=name) for name in names))
