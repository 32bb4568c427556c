"""Waiting that ends early when the program is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Returns after `seconds`, or at once when `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


async def until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Does the work, and drops it when `stop` is set: for work that may be dropped at any moment. Raises what the work raises."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        while not working.done():
            working.cancel()  # again where it was swallowed: redis-py does that while it connects
            await asyncio.wait({working}, timeout=0.1)
    if not working.cancelled():
        working.result()


@asynccontextmanager
async def either(*events: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    """An event that is set as soon as one of these is."""
    first = asyncio.Event()

    async def follow(event: asyncio.Event) -> None:
        await event.wait()
        first.set()

    following = [asyncio.create_task(follow(event)) for event in events]
    try:
        yield first
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancels a task and waits for its end, whatever that is."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
