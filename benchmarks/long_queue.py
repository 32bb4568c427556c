"""What a long queue costs: the time of one look at it, and the memory of the process that looks.

Once all of it is due. Once it stands behind an endpoint that is down: of every claim the first of four alerts failed, and the
others may not go out before it.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert, update

from benchmarks.measure import Figure, Scale, plain
from monitor.store import Database, deliveries, endpoints
from monitor.store.deliveries import Tried
from monitor.store.tables import alert, claim, delivery
from monitor.times import now_ms

_LOOKS = 50
_TAKEN = 64
_EACH = 4  # alerts of a claim
_LEASE_MS = 30_000
_MEASURED = 10


async def long_queue(scale: Scale) -> list[Figure]:
    """The figures, on SQLite."""
    count = scale.count(100_000, least=1_000)
    return [*await _all_due(scale, count), *await _behind(scale, count)]


async def _all_due(scale: Scale, count: int) -> list[Figure]:
    now = now_ms()
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        database = await _filled(Path(folder), count, now)
        looks, takes, grown = await _looked(scale, database, now)
        await database.close()
    return [
        plain(f"a look at a queue of {count:,}", "ms", looks),
        plain(f"{_TAKEN} deliveries taken from a queue of {count:,}", "ms", takes),
        plain("memory that those looks added", "MB", [grown]),
    ]


async def _behind(scale: Scale, count: int) -> list[Figure]:
    """The same while the first of each claim waits to be tried again, a few new alerts apart, which are what is taken."""
    now = now_ms()
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        database = await _filled(Path(folder), count, now)
        failing = await _fail_the_first(database, max(1, count // _EACH), now)
        async with database.write() as connection:
            more = [(now + 1 << 21) + n for n in range(_LOOKS * _TAKEN)]
            await connection.execute(insert(alert), [_alert(n, now, None) for n in more])
            await connection.execute(insert(delivery), [_delivery(n) for n in more])
        looks, takes, _ = await _looked(scale, database, now)
        await database.close()
    behind = f"{count // _EACH:,} claims × {_EACH}, the first of each failed"
    return [
        plain(f"a look at a queue of {behind}", "ms", looks),
        plain(f"{_TAKEN} new deliveries taken past it", "ms", takes),
        plain("a failed delivery taken and written down, with what follows it put off", "ms", failing),
    ]


async def _fail_the_first(database: Database, claims: int, now: int) -> list[float]:
    """Lets the first delivery of every claim fail; how long that took each (ms).

    Some are taken and written down as a sender does it, the others all at once with the same outcome, since that takes minutes.
    """
    took: list[float] = []
    later = now + 3_600_000
    for _ in range(_MEASURED):
        started = time.perf_counter()
        async with database.write() as connection:
            taken = await deliveries.lease_due(connection, "hook", now, _TAKEN, _LEASE_MS)
            for due in taken:
                tried = Tried(at_ms=now, ms=5, status=500, error="answered 500")
                await deliveries.settle(connection, due, tried, "pending", later)
        took.append((time.perf_counter() - started) * 1000 / max(1, len(taken)))
    first = delivery.c.id < (now << 21) + claims
    async with database.write() as connection:
        await connection.execute(update(delivery).where(delivery.c.next_ms == 0).values(next_ms=later))
        await connection.execute(update(delivery).where(first).values(attempts=1, tries=1))
    return took


async def _filled(folder: Path, count: int, now: int) -> Database:
    """So many pending deliveries, `_EACH` of every claim: the first of all claims, then the second of all, and so on."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'store.sqlite'}")
    await database.migrate()
    async with database.write() as connection:
        await endpoints.declare(connection, ["hook"])
    claims = max(1, count // _EACH)
    for start in range(0, claims, 5_000):
        async with database.write() as connection:
            await connection.execute(insert(claim), [_claim(n) for n in range(start, min(start + 5_000, claims))])
    for start in range(0, count, 5_000):
        places = range(start, min(start + 5_000, count))
        async with database.write() as connection:
            await connection.execute(insert(alert), [_alert((now << 21) + n, now, f"c_{n % claims}") for n in places])
            await connection.execute(insert(delivery), [_delivery((now << 21) + n) for n in places])
    return database


async def _looked(scale: Scale, database: Database, now: int) -> tuple[list[float], list[float], float]:
    """How long looks and takes were (ms), and by how much memory grew (MB)."""
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
            await deliveries.lease_due(connection, "hook", now, _TAKEN, _LEASE_MS)
        takes.append((time.perf_counter() - started) * 1000)
    return looks, takes, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000


def _claim(n: int) -> dict[str, object]:
    judged = {"verdict": "contradicted", "verdicts": {}, "basis": "register", "evidence": (), "register": "r"}
    return {"id": f"c_{n}", "claim": "A claim.", "type": "safety", "first_seen_ms": 0, "last_seen_ms": 0, **judged}


def _alert(number: int, now: int, claim_id: str | None) -> dict[str, object]:
    said = {"kind": "claim.new", "summary": "A new claim.", "claim_id": claim_id}
    return {"id": number, "dedupe_key": str(number), "created_ms": now, **said}


def _delivery(number: int) -> dict[str, object]:
    return {"id": number, "alert_id": number, "endpoint": "hook", "webhook_id": str(number), "state": "pending", "next_ms": 0}
