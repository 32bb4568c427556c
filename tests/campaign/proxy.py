"""The way to a server, in a process of its own, which can be cut, slowed and half open.

    python -m tests.campaign.proxy TARGET        a port of loopback, or the path of a unix socket

Says the port on which it listens, then takes one mode a line on its standard input, and ends with it:

    open      what comes is passed on
    cut       nothing is passed on, either way, and nobody is told; once it is open again it goes on where it stood
    half      what is sent arrives, and no answer comes; once it is open again these connections are gone
    slow      each piece takes 200 ms, and 5 kB a second is all that goes through
    refuse    connections are ended, and new ones are refused
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from tests.campaign.standin import orders

DELAY_S = 0.2
BYTES_A_SECOND = 5_000
MODES = ("open", "cut", "half", "slow", "refuse")


class Proxy:
    """Listens on a port of its own, which stays the same."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._mode = "open"
        self._changed = asyncio.Event()
        self._connections: dict[asyncio.Task[None], bool] = {}  # and whether answers of it were thrown away
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        """Takes connections."""
        if self._server is None:
            self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def be(self, mode: str) -> None:
        """Changes to another mode."""
        self._mode = mode
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
        elif mode != "refuse":
            await self.listen()
        for task, holed in list(self._connections.items()):
            if mode == "refuse" or holed:
                task.cancel()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = False
        there: asyncio.StreamWriter | None = None
        try:
            await self._way_free()
            if self._target.isdigit():
                answers, there = await asyncio.open_connection("127.0.0.1", int(self._target))
            else:
                answers, there = await asyncio.open_unix_connection(self._target)
            ways = [
                asyncio.create_task(self._pump(reader, there, task, answers=False)),
                asyncio.create_task(self._pump(answers, writer, task, answers=True)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._connections[task]
            for one in (writer, there):
                if one is not None:
                    one.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, task: asyncio.Task[None], *, answers: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(4_096 if self._mode == "slow" else 65_536):
                await self._way_free()
                if self._mode == "slow":
                    await asyncio.sleep(DELAY_S + len(data) / BYTES_A_SECOND)
                if self._mode == "half" and answers:
                    self._connections[task] = True
                    continue
                sink.write(data)
                await sink.drain()

    async def _way_free(self) -> None:
        while self._mode == "cut":
            await self._changed.wait()


async def serve(target: str) -> None:
    proxy = Proxy(target)
    await proxy.listen()
    print(proxy.port, flush=True)
    async for line in await orders():
        await proxy.be(line.decode().strip())


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
