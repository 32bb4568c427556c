"""Signals on real servers: they wake, and nothing depends on one."""

from __future__ import annotations

import asyncio

import pytest

from monitor.stream import (
    Signal,
    Stream,
)
from tests.servers import RedisServer, every_redis
from tests.streaming import stream

pytestmark = pytest.mark.parametrize("redis_server", every_redis(), indirect=True)

__all__ = ["stream"]


async def test_signals_wake_from_a_position_on_and_outlive_the_server(stream: Stream, redis_server: RedisServer) -> None:
    await stream.signal(Signal("mention", "m_0"))
    position = await stream.signal_position()
    await stream.signal(Signal("mention", "m_1"), Signal("alert", "a_1"))
    tail = stream.signals(position)
    seen = [await anext(tail), await anext(tail)]
    assert [(signal.kind, signal.id) for signal in seen] == [("mention", "m_1"), ("alert", "a_1")]
    waiting = asyncio.ensure_future(anext(tail))
    redis_server.kill()
    await stream.signal(Signal("mention", "lost"))  # dropped without a word to the caller
    redis_server.start()
    await stream.signal(Signal("mention", "m_2"))
    assert (await waiting).id == "m_2"
    resumed = stream.signals(seen[0].position)
    assert [(await anext(resumed)).id, (await anext(resumed)).id] == ["a_1", "m_2"]
    await resumed.aclose()
    ending = asyncio.ensure_future(anext(tail))
    await stream.close()
    with pytest.raises(StopAsyncIteration):
        await ending


async def test_a_tail_from_now_on_hears_only_what_comes(stream: Stream, redis_server: RedisServer) -> None:
    await stream.signal(Signal("mention", "before"))
    tail = stream.signals()
    first = asyncio.ensure_future(anext(tail))
    while b"blocked_clients:1" not in redis_server.ask("INFO", "clients"):
        await asyncio.sleep(0.01)
    await stream.signal(Signal("mention", "after"))
    assert (await first).id == "after"
    await tail.aclose()


async def test_signals_are_bounded(stream: Stream, redis_server: RedisServer) -> None:
    for _ in range(12):
        await stream.signal(*[Signal("mention", "m")] * 1_000)
    assert 10_000 <= redis_server.number("XLEN", "exowatch:v1:{p0}:signals") <= 10_500
