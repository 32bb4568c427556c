"""How a figure is made: repeats in turn with whatever it is held against, the median, the spread, and the machine.

Machines drift by tens of per cent within minutes. So two things are compared by running them in turn (A B A B …) and taking the
median of the ratios of neighbours; a single absolute number says little.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from redis.asyncio import Redis

from monitor.embedded import EmbeddedRedis

Run = Callable[[], Awaitable[float]]


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How much to do. `repeats` of each measurement; `sizes` are numbers of stored mentions; `share` shortens every count."""

    repeats: int
    sizes: tuple[int, ...]
    share: float = 1.0

    def count(self, usual: int, least: int = 1) -> int:
        """A usual number of things to do, at this scale."""
        return max(least, round(usual * self.share))


QUICK = Scale(repeats=1, sizes=(1_000,), share=0.05)
NORMAL = Scale(repeats=3, sizes=(10_000, 100_000))
FULL = Scale(repeats=5, sizes=(10_000, 100_000, 1_000_000))


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure is held against: a fixed limit, or what a peer did in the same run."""

    name: str
    value: float


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """The figure over its repeats."""

    min: float
    median: float
    max: float
    repeats: int


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured."""

    cpu: str
    cores: int
    python: str
    redis: str


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row. `ratio` is value / limit or value / peer; `wanted` says what it should be and `reached` whether it is."""

    name: str
    value: float
    unit: str
    limit: Against | None = None
    peer: Against | None = None
    ratio: float | None = None
    wanted: str | None = None
    reached: bool | None = None
    spread: Spread
    machine: Machine | None = None
    note: str | None = None


def _spread(values: Sequence[float]) -> Spread:
    return Spread(min=_short(min(values)), median=_short(statistics.median(values)), max=_short(max(values)), repeats=len(values))


def _short(value: float) -> float:
    """Four digits are more than the noise allows."""
    return float(f"{value:.4g}")


def plain(name: str, unit: str, values: Sequence[float], note: str | None = None) -> Figure:
    """A figure that is held against nothing."""
    return Figure(name=name, value=_short(statistics.median(values)), unit=unit, spread=_spread(values), note=note)


def at_least(name: str, unit: str, values: Sequence[float], limit: float, what: str, note: str | None = None) -> Figure:
    """A figure that should not be below `limit`."""
    return _limited(name, unit, values, limit, what, more=True, note=note)


def at_most(name: str, unit: str, values: Sequence[float], limit: float, what: str, note: str | None = None) -> Figure:
    """A figure that should not be above `limit`."""
    return _limited(name, unit, values, limit, what, more=False, note=note)


def _limited(name: str, unit: str, values: Sequence[float], limit: float, what: str, *, more: bool, note: str | None) -> Figure:
    value = statistics.median(values)
    return Figure(
        name=name,
        value=_short(value),
        unit=unit,
        limit=Against(name=what, value=limit),
        ratio=_short(value / limit),
        wanted="≥ 1" if more else "≤ 1",
        reached=value >= limit if more else value <= limit,
        spread=_spread(values),
        note=note,
    )


def beside(
    name: str,
    unit: str,
    values: Sequence[float],
    peer: str,
    peer_values: Sequence[float],
    wanted: float | None = None,
    note: str | None = None,
    *,
    less: bool = False,
) -> Figure:
    """A figure beside a peer's, repeat by repeat; `wanted` is the least ratio (with `less`, the greatest)."""
    ratio = statistics.median(own / other for own, other in zip(values, peer_values, strict=True))
    sign = "≤" if less else "≥"
    return Figure(
        name=name,
        value=_short(statistics.median(values)),
        unit=unit,
        peer=Against(name=peer, value=_short(statistics.median(peer_values))),
        ratio=_short(ratio),
        wanted=None if wanted is None else f"{sign} {wanted:g}",
        reached=None if wanted is None else (ratio <= wanted if less else ratio >= wanted),
        spread=_spread(values),
        note=note,
    )


async def in_turn(repeats: int, *runs: Run, warm_up: bool = True) -> list[list[float]]:
    """What each run gave, `repeats` times, taken in turn; the first round is not counted where `warm_up` is set.

    As long as patience lasts (`be_patient`), a round waits until nothing else runs, and one that ended in company is taken again.
    """
    found: list[list[float]] = [[] for _ in runs]
    with _little_garbage():
        for turn in range(repeats + warm_up):
            values = await _round(runs)
            for place, value in enumerate(values):
                if turn >= warm_up:
                    found[place].append(value)
    return found


async def _round(runs: Sequence[Run]) -> list[float]:
    while True:
        await _until_alone()
        values = [await run() for run in runs]
        if time.monotonic() >= _Patience.over_at or await cores_busy() <= QUIET:
            return values


@contextmanager
def _little_garbage() -> Iterator[None]:
    """Leaves what lives already out of garbage collections, as the daemon does: here it is whole tables."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


QUIET = 0.2  # cores


class _Patience:
    over_at = 0.0


def be_patient(seconds: float) -> None:
    """From now on and for so long, measurements wait for a machine that does nothing else."""
    _Patience.over_at = time.monotonic() + seconds


async def _until_alone() -> None:
    while time.monotonic() < _Patience.over_at and await cores_busy() > QUIET:
        await asyncio.sleep(2)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def rate(count: int, work: Callable[[], Awaitable[object]]) -> float:
    """How many of `count` things a second `work` does."""
    started = time.perf_counter()
    await work()
    return count / (time.perf_counter() - started)


@asynccontextmanager
async def redis_server() -> AsyncIterator[str]:
    """The embedded redis-server as the daemon runs it (append-only file, synced every second); its address."""
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        async with EmbeddedRedis(Path(folder)) as server:
            yield server.url


async def machine() -> Machine:
    """This machine, without its name."""
    async with redis_server() as url:
        client = Redis.from_url(url)
        version = str((await client.info("server"))["redis_version"])
        await client.aclose()
    names = [
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return Machine(
        cpu=names[0] if names else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        redis=version,
    )


async def cores_busy(seconds: float = 0.3) -> float:
    """How many cores the whole machine kept busy just now: what others take, where all of ours stands still."""

    def spent() -> tuple[int, int]:
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields) - fields[3] - fields[4], sum(fields)  # idle and waiting for disks is not busy

    busy, total = spent()
    await asyncio.sleep(seconds)
    more, later = spent()
    return (more - busy) / max(1, later - total) * (os.cpu_count() or 1)


async def drained(condition: Callable[[], Awaitable[bool]]) -> None:
    """Returns when the condition holds, asked every few milliseconds."""
    while not await condition():
        await asyncio.sleep(0.005)


Kind = Literal["quick", "normal", "full"]
SCALES: dict[Kind, Scale] = {"quick": QUICK, "normal": NORMAL, "full": FULL}
