"""Taking a collector's batches one by one, and leaving it where the program is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from monitor.collectors.base import Batch
from monitor.pause import until


class StoppedError(Exception):
    """The program is to stop in the middle of a poll."""


async def next_batch(batches: AsyncGenerator[Batch, None], stop: asyncio.Event) -> Batch | None:
    """The next batch, None at the end. Raises StoppedError where the program is to stop: slow sites are not waited for."""
    taken: list[Batch | None] = []

    async def take() -> None:
        taken.append(await anext(batches, None))

    if not stop.is_set():
        await until(stop, take())
    if not taken:
        raise StoppedError
    return taken[0]
