"""Workers: the same backlog drained by one and by two `exowatch work` processes, on both databases."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from benchmarks import posts
from benchmarks.measure import QUIET, Figure, Scale, beside, cores_busy, drained, in_turn, redis_server
from monitor.stream import Item, Stream
from monitor.words import Post, encode
from tests.daemon_process import DaemonProcess, running_daemon
from tests.postgres import running_postgres

WANTED = 1.7
_WARM_UP = 50  # posts, so that what is made once (statements, plans, connections) is made

Make = Callable[[int, int], list[Post]]
# What a post is, and how many of them: the shorter ones cost the classifier less, and so the rest weighs more.
KINDS: dict[str, tuple[Make, int]] = {"posts of 30 words": (posts.posts, 1_000), "posts of 230 words": (posts.long_posts, 200)}


async def run(scale: Scale) -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        place = Path(folder)
        figures += await _of_database(scale, "SQLite", place, lambda n: f"sqlite:///{place / f'store-{n}.sqlite'}")
        try:
            with running_postgres() as server:
                figures += await _of_database(scale, "PostgreSQL", place, lambda _: server.fresh_database())
        except FileNotFoundError as error:
            print(f"workers: {error}, so its rows are left out")
    return figures


async def _of_database(scale: Scale, name: str, place: Path, fresh: Callable[[int], str]) -> list[Figure]:
    figures = []
    rounds = itertools.count(1)
    for kind, (make, usual) in KINDS.items():
        count = scale.count(usual, least=100)
        busy: list[float] = []

        async def drain(workers: int, make: Make = make, count: int = count, busy: list[float] = busy) -> float:
            number = next(rounds)
            async with redis_server() as url:
                config = _config(place / f"{name}-{number}", url, fresh(number))
                return await _drained(config, url, workers, make(count, number), make(_WARM_UP, -number), busy)

        # Each round warms its own processes, so none is thrown away.
        two, one = await in_turn(scale.repeats, lambda: drain(2), lambda: drain(1), warm_up=False)
        note = f"classify alone {_classify_ms(make):.1f} ms a post{_others(busy)}"
        figures.append(
            beside(f"two worker processes, {name}, {kind}", "mentions/s", two, "one worker process", one, WANTED, note)
        )
    return figures


async def _drained(
    config: Path, url: str, workers: int, backlog: Sequence[Post], warm_up: Sequence[Post], busy: list[float]
) -> float:
    """Mentions a second, from the moment when the workers are let at a backlog until all of it is stored and acknowledged."""
    async with AsyncExitStack() as stack:
        running = [running_daemon(config, "work") for _ in range(workers)]
        processes = await asyncio.gather(*(stack.enter_async_context(one) for one in running))
        stream = await Stream.open(url)
        stack.push_async_callback(stream.close)

        async def empty() -> bool:
            return (await stream.stats()).length == 0

        await stream.publish([_item(post) for post in warm_up])
        await drained(empty)
        with _held(processes):
            await stream.publish([_item(post) for post in backlog])
            busy.append(await cores_busy())
        started = time.perf_counter()
        await drained(empty)
        return len(backlog) / (time.perf_counter() - started)


def _others(busy: Sequence[float]) -> str:
    """What else the machine did while everything of ours stood still."""
    most = max(busy)
    return f"; the machine was busy with other work, up to {most:.1f} cores of it" if most > QUIET else ""


@contextmanager
def _held(processes: Sequence[DaemonProcess]) -> Iterator[None]:
    """The processes stand still meanwhile."""
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


def _config(folder: Path, redis_url: str, store_url: str) -> Path:
    folder.mkdir()
    config = folder / "monitor.toml"
    config.write_text(f'data_dir = "data"\n[redis]\nurl = "{redis_url}"\n[store]\nurl = "{store_url}"\n')
    return config


def _item(post: Post) -> Item:
    return Item(post.version, encode(post))


def _classify_ms(make: Make) -> float:
    judge, took = posts.judge(), []
    for post in make(100, 7):
        started = time.process_time()
        judge.judge(post.id, post.text)
        took.append((time.process_time() - started) * 1000)
    return statistics.fmean(took)
