"""Tells when the work stands still: an event loop that does not turn, or a job that makes no progress although it should.

It ends and restarts nothing. It says so: in the log, in a metric, at /readyz, and to systemd by saying nothing more.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import structlog

from monitor import telemetry
from monitor.systemd import Systemd

log = structlog.get_logger()

STALLED_AFTER_S = 300.0  # a job that says nothing for so long; the slowest honest batch takes a third of it
LOOP_STALLS_AFTER_S = 10.0
_TICK_S = 0.5
_FRAMES = 15  # of a stack, the innermost


class Late(msgspec.Struct, frozen=True):
    """A job that should have made progress, and for how long it has been silent."""

    job: str
    silent_s: float


class Pulse:
    """One job's word that it goes on. It is watched while its block runs, and reported when it is silent for `within_s`."""

    def __init__(self, job: str, within_s: float = STALLED_AFTER_S) -> None:
        self.job = job
        self.told = False
        self._within_s = within_s
        self.beat()

    def beat(self, rest_s: float = 0.0) -> None:
        """Says that the job goes on, and that it means to rest for `rest_s` from now."""
        self._at = _clock.now_s
        self._until = self._at + rest_s + self._within_s
        if self.told:
            self.told = False
            log.info("job goes on", job=self.job)

    @property
    def late(self) -> Late | None:
        """How late it is, where it is."""
        return Late(self.job, _clock.now_s - self._at) if _clock.now_s > self._until else None

    def __enter__(self) -> Pulse:
        self.beat()
        telemetry.stalled_jobs.labels(self.job)  # at 0, so that the first time is seen as an increase
        _pulses.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _pulses.discard(self)


class _Clock:
    """Time in which somebody looked: what passes while the process is stopped, or its loop, is nobody's silence."""

    now_s = 0.0


_clock = _Clock()
_pulses: set[Pulse] = set()


def late() -> list[Late]:
    """The jobs of this process that make no progress although they should, by name."""
    return sorted((found for pulse in _pulses if (found := pulse.late) is not None), key=lambda one: one.job)


@asynccontextmanager
async def watched(systemd: Systemd | None = None, loop_stalls_after_s: float = LOOP_STALLS_AFTER_S) -> AsyncIterator[None]:
    """Watches this event loop and the jobs of this process while the block runs, and tells systemd that the loop turns."""
    loop = _LoopWatch(loop_stalls_after_s)
    looking = asyncio.create_task(_keep_looking(loop, systemd), name="watchdog")
    thread = threading.Thread(target=loop.watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.over.set()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _keep_looking(loop: _LoopWatch, systemd: Systemd | None) -> None:
    before = time.monotonic()
    while True:
        loop.ticks += 1
        if systemd is not None:
            systemd.alive()
        await asyncio.sleep(_TICK_S)
        now = time.monotonic()
        _clock.now_s += min(now - before, 4 * _TICK_S)
        before = now
        for pulse in list(_pulses):
            found = pulse.late
            if found is not None and not pulse.told:
                pulse.told = True
                telemetry.stalled_jobs.labels(found.job).inc()
                log.error("job makes no progress", job=found.job, silent_s=round(found.silent_s))


class _LoopWatch:
    """A thread beside the loop: counts how often it looked in vain for another turn. Looks that a stopped process did not make
    do not count, so that a machine which slept is no stall."""

    def __init__(self, after_s: float) -> None:
        self.ticks = 0  # written by the loop
        self.over = threading.Event()
        self._after_s = after_s
        self._thread = threading.get_ident()

    def watch(self) -> None:
        seen, in_vain, told = -1, 0, False
        look_s = 2 * _TICK_S
        while not self.over.wait(look_s):
            if self.ticks != seen:
                if told:
                    log.info("the event loop turns again", stalled_s=round(in_vain * look_s))
                seen, in_vain, told = self.ticks, 0, False
                continue
            in_vain += 1
            if in_vain * look_s >= self._after_s and not told:
                told = True
                telemetry.loop_stalls.inc()
                log.error("the event loop does not turn", stalled_s=round(in_vain * look_s), where=self._stack())

    def _stack(self) -> list[str]:
        """Where the loop's thread stands, the innermost last: places in the code, and no value of any variable."""
        frame = sys._current_frames().get(self._thread)
        places = traceback.extract_stack(frame, limit=None)[-_FRAMES:] if frame else []
        return [f"{place.filename}:{place.lineno} {place.name}" for place in places]
