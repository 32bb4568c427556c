"""Load: a backlog of so many waiting mentions drained by two `exowatch work`, while somebody asks an `exowatch serve`.

Sampled meanwhile: how many are left, the memory of each process, and how long the API takes.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_most, beside, drained, plain, quantile
from benchmarks.processes import machine_busy_s, processor_s, resident_mb
from benchmarks.workers import _held
from monitor.intake import _item
from monitor.stream import Stream
from tests.daemon_process import running_daemon
from tests.quick_pack import rules_alone
from tests.servers import BINARIES, RedisServer

PARTITIONS = 8
WORKERS = 2
WINDOWS = 20  # equal parts of the time that it took; fewer where few mentions wait, which are taken a hundred at a time
PATHS = {"a page of mentions": "/api/v1/mentions", "/healthz": "/healthz"}
MOST_GROWTH_MB = 20.0  # of one worker, from the second tenth of the time to the last
MOST_SLOWER = 2.0
_WITH_MODEL = 20  # times fewer, since the model takes forty times as long as the rules
_STEADY = 50_000  # mentions: of fewer, too many are in hand at once to say how steadily they went
_A_WINDOW = 2 * 100 * PARTITIONS * WORKERS  # mentions in a window at least: twice what the workers have in their hands at once
_FILL = 5_000
_WARM_UP = 1_000
_IDLE_S = 8.0
_ASK_EVERY_S = 0.2


class Sample(msgspec.Struct, frozen=True):
    """One look: seconds since the start, what was left in the stream; of each process its resident MB and processor seconds."""

    at: float
    left: int
    memory: dict[str, float]
    processor: dict[str, float]
    busy: float = 0.0  # seconds of processor time of the whole machine since it was started


class Drained(msgspec.Struct, frozen=True):
    """What was seen of one backlog; latencies by path, in ms."""

    samples: list[Sample]
    before: dict[str, list[float]]
    during: dict[str, list[float]]
    after: dict[str, list[float]]


async def run(scale: Scale) -> list[Figure]:
    count = max(scale.sizes)
    figures: list[Figure] = []
    few = max(200, count // _WITH_MODEL)
    for name, number, shipped in (("rules alone", count, False), ("shipped pack", few, True)):
        found = await _drain(number, shipped=shipped, share=scale.share)
        figures += figures_of(f"load, {number:,} waiting, {name}", found)
    return figures


def figures_of(name: str, found: Drained) -> list[Figure]:
    """The figures of one backlog."""
    windows = max(1, min(WINDOWS, found.samples[0].left // _A_WINDOW))
    rates = window_rates(found.samples, windows)
    figures = [
        plain(f"{name}: drained", "mentions/s", rates, f"over {found.samples[-1].at:.0f} s; {_company(found.samples)}"),
    ]
    first, last = found.samples[0], found.samples[-1]
    spent = {process: (last.processor[process] - first.processor[process]) * 1000 / first.left for process in first.processor}
    for process, ms in (("the workers", sum(spent[f"worker {n}"] for n in range(1, WORKERS + 1))), *_others_of(spent)):
        figures.append(plain(f"{name}: processor time of {process}, a mention", "ms", [ms]))
    if first.left >= _STEADY:
        slowest = min(rates) / statistics.median(rates)
        figures.append(plain(f"{name}: slowest of {windows} windows, of the middle one", "share", [slowest]))
        figures.append(plain(f"{name}: processor time of a mention, second half of the first", "share", [dearer(found.samples)]))
    half = [sample for sample in found.samples if sample.at >= found.samples[-1].at / 2] or found.samples[-1:]
    later = max(half[-1].memory[process] - half[0].memory[process] for process in half[0].memory if process.startswith("worker"))
    growth = {process: growth_mb(found.samples, process) for process in found.samples[0].memory}
    workers = [value for process, value in growth.items() if process.startswith("worker")]
    figures.append(
        at_most(f"{name}: growth of a worker's memory", "MB", [max(0.01, *workers)], MOST_GROWTH_MB, "flat, as a heap breathes")
    )
    figures.append(plain(f"{name}: growth of a worker's memory in the second half", "MB", [max(0.01, later)]))
    figures += [
        plain(f"{name}: memory of {process}", "MB", [sample.memory[process] for sample in found.samples])
        for process in found.samples[0].memory
    ]
    for path in PATHS:
        idle, busy, after = (statistics.median(took[path]) for took in (found.before, found.during, found.after))
        late = f"95 of 100 within {quantile(found.during[path], 0.95):.1f} ms; idle again: {after:.1f} ms"
        figures.append(beside(f"{name}: {path} meanwhile", "ms", [busy], "idle before", [idle], MOST_SLOWER, late, less=True))
    return figures


def _company(samples: Sequence[Sample]) -> str:
    """What else the machine did meanwhile, its kernel and whoever asks the API included."""
    first, last = samples[0], samples[-1]
    ours = sum(last.processor.values()) - sum(first.processor.values())
    others = max(0.0, last.busy - first.busy - ours) / max(1e-9, last.at - first.at)
    return f"other work took {others:.1f} cores of the machine's meanwhile, these processes {ours / last.at:.1f}"


def _others_of(spent: dict[str, float]) -> list[tuple[str, float]]:
    return [(process, ms) for process, ms in spent.items() if not process.startswith("worker")]


def window_rates(samples: Sequence[Sample], windows: int) -> list[float]:
    """Mentions a second in each of so many equal parts of the time."""
    last = samples[-1].at
    edges = [_left_at(samples, last * n / windows) for n in range(windows + 1)]
    return [max(0.0, before - after) / (last / windows) for before, after in itertools.pairwise(edges)]


def _left_at(samples: Sequence[Sample], at: float) -> float:
    """What was left at a time between two samples, as if it went evenly from the one to the other."""
    for one, other in itertools.pairwise(samples):
        if at <= other.at:
            share = max(0.0, at - one.at) / max(1e-9, other.at - one.at)
            return one.left + (other.left - one.left) * share
    return samples[-1].left


def dearer(samples: Sequence[Sample]) -> float:
    """What a mention cost of the workers' processor time in the second half of the mentions, as a share of the first half."""

    def cost(one: Sample, other: Sample) -> float:
        spent = sum(other.processor[name] - one.processor[name] for name in one.processor if name.startswith("worker"))
        return max(spent, 0.01) / max(1, one.left - other.left)

    first, last = samples[0], samples[-1]
    middle = next(sample for sample in samples if sample.left <= first.left / 2)
    return cost(middle, last) / cost(first, middle) if middle.left else 1.0


def growth_mb(samples: Sequence[Sample], process: str) -> float:
    """From the middle of the second tenth of the time to the middle of the last."""
    last = samples[-1].at

    def within(begin: float, end: float) -> float:
        found = [sample.memory[process] for sample in samples if begin * last <= sample.at <= end * last]
        return statistics.median(found or [samples[0].memory[process]])

    return within(0.9, 1.0) - within(0.1, 0.2)


async def _drain(count: int, *, shipped: bool, share: float) -> Drained:
    """Fills the stream while the workers stand still, lets them at it, and watches until all is stored and acknowledged."""
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        async with AsyncExitStack() as stack:
            server = RedisServer(BINARIES[0])
            stack.callback(server.remove)
            server.start("--appendfsync", "everysec")
            config = _config(Path(folder), server.url, shipped=shipped)
            api = await stack.enter_async_context(running_daemon(config, "serve"))
            starting = [running_daemon(config, "work") for _ in range(WORKERS)]
            workers = await asyncio.gather(*(stack.enter_async_context(one) for one in starting))
            stream = await Stream.open(server.url, PARTITIONS)
            stack.push_async_callback(stream.close)
            client = await stack.enter_async_context(aiohttp.ClientSession(api.address))

            async def empty() -> bool:
                return (await stream.stats()).length == 0

            await _fill(stream, min(count, _WARM_UP), 0)
            await drained(empty)
            async with _asking(client) as before:
                await asyncio.sleep(_IDLE_S * share)
            pids = {f"worker {n}": worker.pid for n, worker in enumerate(workers, 1)}
            pids |= {"the API's process": api.pid, "redis-server": server.pid}
            with _held(workers):
                await _fill(stream, count, 1)
                full = await _sample(stream, pids, time.perf_counter())
            async with _asking(client) as during:
                samples = [full, *await _watch(stream, pids, count)]
            async with _asking(client) as after:
                await asyncio.sleep(_IDLE_S * share)
    return Drained(samples=samples, before=before, during=during, after=after)


def _config(folder: Path, redis_url: str, *, shipped: bool) -> Path:
    config = folder / "monitor.toml"
    config.write_text(f'data_dir = "data"\n[redis]\nurl = "{redis_url}"\npartitions = {PARTITIONS}\n[api]\nport = 0\n')
    if not shipped:
        rules_alone(folder)
    return config


async def _fill(stream: Stream, count: int, seed: int) -> None:
    for part, start in enumerate(range(0, count, _FILL)):
        some = posts.posts(min(_FILL, count - start), seed=seed * 1_000_000 + part)
        assert all(await stream.publish([_item(post.version, post) for post in some]))


async def _watch(stream: Stream, pids: dict[str, int], count: int) -> list[Sample]:
    """Samples until the stream is empty, the more seldom the longer it may take."""
    samples: list[Sample] = []
    started = time.perf_counter()
    while not samples or samples[-1].left:
        await asyncio.sleep(max(0.1, min(5.0, count / 200_000)))
        samples.append(await _sample(stream, pids, started))
    return samples


async def _sample(stream: Stream, pids: dict[str, int], started: float) -> Sample:
    left = (await stream.stats()).length
    memory = {name: resident_mb(pid) for name, pid in pids.items()}
    processor = {name: processor_s(pid) for name, pid in pids.items()}
    return Sample(time.perf_counter() - started, left, memory, processor, machine_busy_s())


@asynccontextmanager
async def _asking(client: aiohttp.ClientSession) -> AsyncIterator[dict[str, list[float]]]:
    """Asks each path again and again meanwhile; what each answer took, in ms. What is asked first is not counted."""
    took: dict[str, list[float]] = {path: [] for path in PATHS}

    async def asked(path: str) -> float:
        begun = time.perf_counter()
        async with client.get(path) as answer:
            await answer.read()
            assert answer.status == 200, f"{path}: {answer.status}"
        return (time.perf_counter() - begun) * 1000

    async def ask() -> None:
        while True:
            for name, path in PATHS.items():
                took[name].append(await asked(path))
            await asyncio.sleep(_ASK_EVERY_S)

    for path in PATHS.values():
        await asked(path)
    asking = asyncio.create_task(ask())
    try:
        yield took
    finally:
        asking.cancel()
        (ended,) = await asyncio.gather(asking, return_exceptions=True)
    if not isinstance(ended, asyncio.CancelledError):
        raise AssertionError("the API stopped answering") from ended
