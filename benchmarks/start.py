"""Start to ready, and memory: the whole embedded daemon as a process, with its redis-server."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks import posts
from benchmarks.daemon import daemon, resident_mb
from benchmarks.measure import Figure, Scale, at_most, in_turn


async def run(scale: Scale) -> list[Figure]:
    memory: list[float] = []

    async def once() -> float:
        with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
            started = time.perf_counter()
            async with daemon(Path(folder)) as running:
                took = time.perf_counter() - started
                await _work(running.address, scale.count(2_000, least=100))
                memory.append(await resident_mb(running))
            return took

    (seconds,) = await in_turn(scale.repeats, once)
    return [
        at_most("start to ready", "s", seconds, 3, "DESIGN.md", "a fresh data folder; from the command to its address on stdout"),
        at_most("resident memory, daemon and redis-server", "MB", memory[1:], 400, "DESIGN.md", "after 2,000 posts"),
    ]


async def _work(address: str, count: int) -> None:
    """So many posts through the daemon, that memory is that of one at work."""
    async with aiohttp.ClientSession() as session:
        sent = posts.posts(count)
        for start in range(0, count, 500):
            body = [{"platform": p.platform, "id": p.id, "text": p.text} for p in sent[start : start + 500]]
            async with session.post(f"{address}/api/v1/mentions", json=body) as answer:
                assert answer.status == 202, await answer.text()
        last = sent[-1].id
        while True:
            async with session.get(f"{address}/api/v1/mentions/{sent[-1].platform}:{last}") as answer:
                if answer.status == 200:
                    return
