"""A receiver in a process of its own, whose cost is not the sender's. Run as `python -m benchmarks.receiver`.

It verifies nothing and answers 204. `GET /taken` answers how many bodies came, `GET /has/N` as soon as N have, `GET /arrivals`
when each post's came (by the post's id, seconds of the monotonic clock, which all processes of a machine share).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import web


class _Heard(msgspec.Struct):
    platform_id: str


class _Data(msgspec.Struct):
    mention: _Heard


class _Body(msgspec.Struct):
    data: _Data


class Receiver:
    """A running receiver."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.url = f"{origin}/hook"

    async def taken(self) -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{self.origin}/taken") as answer:
            return int(await answer.text())

    async def has(self, count: int) -> None:
        """Returns when so many bodies have come in all: asked once, since asking again and again would slow down who sends."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.origin}/has/{count}") as answer:
            answer.raise_for_status()

    async def arrivals(self) -> dict[str, float]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.origin}/arrivals") as answer:
            return msgspec.json.decode(await answer.read(), type=dict[str, float])


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that is gone at the end."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.receiver", stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        yield Receiver((await process.stdout.readline()).decode().strip())
    finally:
        process.terminate()
        await process.wait()


async def _serve() -> None:
    bodies: list[tuple[float, bytes]] = []
    waiting: dict[int, asyncio.Event] = {}

    async def take(request: web.Request) -> web.Response:
        bodies.append((time.monotonic(), await request.read()))
        if len(bodies) in waiting:
            waiting.pop(len(bodies)).set()
        return web.Response(status=204)

    async def has(request: web.Request) -> web.Response:
        count = int(request.match_info["count"])
        if len(bodies) < count:
            await waiting.setdefault(count, asyncio.Event()).wait()
        return web.Response()

    async def taken(_: web.Request) -> web.Response:
        return web.Response(text=str(len(bodies)))

    async def arrivals(_: web.Request) -> web.Response:
        times: dict[str, float] = {}
        for at, body in bodies:
            times.setdefault(msgspec.json.decode(body, type=_Body).data.mention.platform_id, at)
        return web.Response(body=msgspec.json.encode(times))

    app = web.Application()
    app.add_routes(
        [web.post("/hook", take), web.get("/taken", taken), web.get("/has/{count}", has), web.get("/arrivals", arrivals)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
