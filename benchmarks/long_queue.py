"""What a queue of 100,000 deliveries costs: the time of one look at it, and the memory of the process that looks."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from benchmarks.measure import Figure, Scale, plain
from monitor.store import Database, deliveries, endpoints
from monitor.store.tables import alert, delivery
from monitor.words import now_ms

_LOOKS = 50
_TAKEN = 64


async def long_queue(scale: Scale) -> list[Figure]:
    """The figures, on SQLite."""
    count, now = scale.count(100_000, least=1_000), now_ms()
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        database = Database(f"sqlite+aiosqlite:///{Path(folder) / 'store.sqlite'}")
        await database.migrate()
        async with database.write() as connection:
            await endpoints.declare(connection, ["hook"])
        for start in range(0, count, 5_000):
            numbers = [(now << 21) + n for n in range(start, min(start + 5_000, count))]
            async with database.write() as connection:
                await connection.execute(insert(alert), [_alert(n, now) for n in numbers])
                await connection.execute(insert(delivery), [_delivery(n) for n in numbers])
        looks: list[float] = []
        takes: list[float] = []
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB, the most so far
        for _ in range(max(1, round(_LOOKS * scale.share))):
            started = time.perf_counter()
            async with database.read() as connection:
                await deliveries.next_due(connection, "hook")
            looks.append((time.perf_counter() - started) * 1000)
            started = time.perf_counter()
            async with database.write() as connection:
                await deliveries.lease_due(connection, "hook", now, _TAKEN, 30_000)
            takes.append((time.perf_counter() - started) * 1000)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
        await database.close()
    return [
        plain(f"a look at a queue of {count:,}", "ms", looks),
        plain(f"{_TAKEN} deliveries taken from a queue of {count:,}", "ms", takes),
        plain("memory that those looks added", "MB", [grown]),
    ]


def _alert(number: int, now: int) -> dict[str, object]:
    return {"id": number, "kind": "source.down", "dedupe_key": str(number), "created_ms": now, "summary": "A source is down."}


def _delivery(number: int) -> dict[str, object]:
    return {"id": number, "alert_id": number, "endpoint": "hook", "webhook_id": str(number), "state": "pending", "next_ms": 0}
