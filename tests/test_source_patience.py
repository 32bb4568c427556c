"""How long a source that fails is left alone: growing waits that differ, what the server asks for, and a fresh start after a good
spell. The clock is the test's, so that hours pass at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from monitor.collectors import run as run_module
from monitor.collectors.base import Batch, SourceError
from monitor.collectors.run import MAX_BACKOFF_S, MAX_RECONNECT_S, SETTLED_S, STREAM_PATIENCE_S, SourceWatch
from monitor.intake import Intake
from monitor.pseudonyms import Pseudonyms
from monitor.settings import FeedSource, Settings
from monitor.store import Database, sources
from monitor.stream import Stream
from tests import shipped

Act = SourceError | float  # a failure, or a connection or poll that goes well for so many seconds
TROUBLE = SourceError("the server answers 503")
INTERVAL = 60.0


class Clock:
    """`waits` are the pauses that were asked for, which are over at once."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def pause(self, _: asyncio.Event, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Played:
    """What a source does, one act after the other, and then the watch ends."""

    def __init__(self, clock: Clock, acts: Sequence[Act]) -> None:
        self.stop = asyncio.Event()
        self._clock = clock
        self._acts = list(acts)

    async def _next(self) -> AsyncIterator[Batch]:
        act = self._acts.pop(0)
        try:
            if isinstance(act, SourceError):
                raise act
            yield Batch()
            self._clock.now += act
            yield Batch()
        finally:
            if not self._acts:
                self.stop.set()

    async def close(self) -> None:
        pass


class Polled(Played):
    def poll(self, _: str | None) -> AsyncIterator[Batch]:
        return self._next()


class Streamed(Played):
    stall_s = 30.0

    def stream(self, _: str | None) -> AsyncIterator[Batch]:
        return self._next()


Play = Callable[..., Awaitable[tuple[list[float], str]]]


@pytest.fixture
async def play(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Play]:
    """Plays the acts; gives the waits after each but the last, and the source's state at the end."""
    stream = await Stream.open(redis_url)
    database = Database(Settings(store={"url": f"sqlite:///{tmp_path}/store.sqlite"}).sqlalchemy_url)
    await database.migrate()
    keywords = shipped.topic().keywords
    async with database.write() as connection:
        await sources.declare(connection, {"blog": "feed"})

    async def run(kind: type[Played], *acts: Act) -> tuple[list[float], str]:
        clock = Clock()
        monkeypatch.setattr(run_module, "time", SimpleNamespace(monotonic=clock.monotonic))
        monkeypatch.setattr(run_module, "pause", clock.pause)
        played = kind(clock, acts)
        source = FeedSource(name="blog", kind="feed", url="http://127.0.0.1:9/rss", interval=INTERVAL)
        intake = Intake(stream, keywords, Pseudonyms("none"))
        watch = SourceWatch(source, played, stream, intake, database, max_age_s=1e9)  # type: ignore[arg-type]
        await asyncio.wait_for(watch.run(played.stop), 60)
        async with database.read() as connection:
            (status,) = await sources.listing(connection)
        return clock.waits[: len(acts) - 1], status.state

    yield run
    await stream.close()
    await database.close()


def near(waits: Sequence[float], wanted: Sequence[float]) -> bool:
    return len(waits) == len(wanted) and all(0.9 * want <= wait <= 1.1 * want for wait, want in zip(waits, wanted, strict=True))


async def test_a_stream_that_fails_is_left_alone_for_longer_each_time(play: Play) -> None:
    waits, _ = await play(Streamed, *[TROUBLE] * 13)
    wanted = [min(2.0**n, MAX_RECONNECT_S) for n in range(12)]
    assert near(waits, wanted), waits
    assert len({round(wait / want, 3) for wait, want in zip(waits, wanted, strict=True)}) > 1, "not all in step with others"


async def test_a_stream_that_soon_ends_every_time_is_no_stream_that_is_well(play: Play) -> None:
    waits, _ = await play(Streamed, *[0.5] * 6)
    assert near(waits, [2.0, 4.0, 8.0, 16.0, 32.0]), waits


async def test_after_a_good_spell_it_begins_anew(play: Play) -> None:
    waits, _ = await play(Streamed, *[TROUBLE] * 5, SETTLED_S + 1, TROUBLE, TROUBLE)
    assert near(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 1.0, 1.0]), waits
    waits, _ = await play(Streamed, *[TROUBLE] * 3, SETTLED_S - 2, TROUBLE)
    assert waits[-1] > 4.0, "a short one does not count"


@pytest.mark.parametrize("kind", [Polled, Streamed])
async def test_what_the_server_asks_for_is_kept(play: Play, kind: type[Played]) -> None:
    waits, _ = await play(kind, SourceError("429", retry_after=777.0), TROUBLE)
    assert waits == [pytest.approx(777.0)]
    waits, _ = await play(kind, SourceError("429", retry_after=0.001), TROUBLE)
    assert waits[0] >= 0.9, "nothing shorter than the own patience"


async def test_polls_that_fail_grow_rarer_up_to_an_hour_and_are_as_before_then(play: Play) -> None:
    waits, _ = await play(Polled, *[TROUBLE] * 9, 0.0, 0.0)
    assert near(waits, [min(INTERVAL * 2.0**n, MAX_BACKOFF_S) for n in range(9)] + [INTERVAL]), waits
    waits, _ = await play(Polled, *[0.0] * 9)
    assert all(0.95 * INTERVAL <= wait <= 1.05 * INTERVAL for wait in waits), waits
    assert len({round(wait, 3) for wait in waits}) > 1


async def test_a_stream_is_down_after_failures_and_time(play: Play) -> None:
    fails = [TROUBLE] * 6
    assert (await play(Streamed, *fails))[1] == "failing", f"six in a row, and less than {STREAM_PATIENCE_S:g} s"
    longer = [*fails, TROUBLE, TROUBLE, TROUBLE]  # which waits for 255 s in all, a tenth up or down
    assert (await play(Streamed, *longer))[1] == "down"
    assert (await play(Streamed, *longer, SETTLED_S + 1))[1] == "ok"
