"""What ends again and again is started again ever later; what ran well for a while is started again at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from structlog.testing import capture_logs

from monitor.children import keep_worker
from monitor.daemon import _keep
from monitor.restarts import Restarts
from monitor.settings import load


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_rest_doubles_up_to_a_minute_and_is_short_again_after_a_good_minute() -> None:
    clock = Clock()
    restarts = Restarts(clock=clock)
    rests = []
    for ran_for_s in (5, 0, 59, 0, 0, 0, 0, 0, 61, 0, 3_600):
        restarts.started()
        clock.now += ran_for_s
        rests.append(restarts.rest())
        clock.now += rests[-1]  # resting is not running
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 1, 2, 1]


async def test_a_job_that_fails_after_a_good_while_is_started_again_at_once() -> None:
    clock, stop = Clock(), asyncio.Event()
    runs = iter((0, 0, 61, 0))

    async def fails() -> None:
        ran_for_s = next(runs, None)
        if ran_for_s is None:
            stop.set()
            return
        clock.now += ran_for_s
        raise ValueError

    with capture_logs() as logs:
        await _keep("a job", fails, stop, Restarts(first_s=0.001, clock=clock))
    assert [one["after_s"] for one in logs] == [0.001, 0.002, 0.001, 0.002]


async def test_a_worker_process_that_ends_after_a_good_while_is_started_again_at_once(tmp_path: Path) -> None:
    config, stop = tmp_path / "monitor.toml", asyncio.Event()
    config.write_text('data_dir = "data"\n')
    settings = load(config)
    config.unlink()  # so that each worker ends by itself
    rests = []
    with capture_logs() as logs:
        keeping = asyncio.create_task(keep_worker(settings, 1, stop, Restarts(first_s=0.001, good_s=0.0)))
        async with asyncio.timeout(60):
            while len(rests := [one["after_s"] for one in logs if "after_s" in one]) < 2:
                await asyncio.sleep(0.02)
        stop.set()
        await keeping
    assert rests == [0.001, 0.001]
