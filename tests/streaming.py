"""What the tests of the stream share: items, a stream on a real server, readers, and patience."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest

from monitor.stream import (
    Entry,
    Item,
    Reader,
    Stream,
    StreamUnavailable,
)
from monitor.stream.keys import GROUP, mentions_key
from tests.servers import RedisServer

MENTIONS = mentions_key(0)
DAY = 86_400_000
T = TypeVar("T")


def items(count: int, prefix: str = "post") -> list[Item]:
    return [Item(f"{prefix}-{number}", b'{"n":%d}' % number) for number in range(count)]


@pytest.fixture
async def stream(redis_server: RedisServer) -> AsyncIterator[Stream]:
    opened = await Stream.open(redis_server.url)
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def reading(stream: Stream, name: str = "worker-0", partition: int = 0, claim_after_s: float = 60) -> AsyncIterator[Reader]:
    reader = stream.reader(name, partition, claim_after_s=claim_after_s)
    try:
        yield reader
    finally:
        await reader.close()


async def read_until(reader: Reader, wanted: int, within_s: float = 60) -> list[Entry]:
    """Reads, waiting out a server that is away, until so many entries came."""
    entries: list[Entry] = []
    deadline = time.monotonic() + within_s
    while len(entries) < wanted:
        assert time.monotonic() < deadline, f"{len(entries)} of {wanted} entries came"
        try:
            entries += await reader.read(100, 0.2)
        except StreamUnavailable:
            await asyncio.sleep(0.05)
    return entries


async def eventually(ask: Callable[[], Awaitable[T]], within_s: float = 60) -> T:
    """What `ask` answers once the server is there again."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return await ask()
        except StreamUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


def rested(server: RedisServer, consumer: str, *entries: Entry) -> None:
    """Makes entries look as if they had been in this consumer's hands for two minutes."""
    for entry in entries:
        key = mentions_key(entry.partition)
        assert entry.id.encode() in server.ask("XCLAIM", key, GROUP, consumer, 0, entry.id, "IDLE", 120_000, "JUSTID")


# Publishing
