"""The faults of the campaign break what their names say, and a phase in which nothing was broken does not pass."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from monitor.stream import Stream
from tests.campaign import power
from tests.campaign.checker import Verdict
from tests.campaign.disk import small_disk
from tests.campaign.faults import FAULTS, NothingShownError
from tests.campaign.machines import SMALL_LOG, Installation
from tests.campaign.report import Phase, table
from tests.postgres import QUICK, running_postgres
from tests.scratch import short_folder
from tests.servers import BINARIES, RedisServer
from tests.streaming import items

KILLS = {fault.name: fault.do for fault in FAULTS}


class Watched(RedisServer):
    """Notes in which mode each kill met it."""

    def __init__(self, binary: Path) -> None:
        super().__init__(binary)
        self.killed_in: list[str] = []

    def kill(self) -> None:
        if self._process is not None:
            self.killed_in.append(self.ask("CONFIG", "GET", "appendfsync").decode().split("\r\n")[4])
        super().kill()


@pytest.mark.parametrize("order", [("always", "everysec"), ("everysec", "always"), ("always", "everysec", "everysec", "always")])
async def test_redis_is_killed_in_the_mode_that_the_fault_names(order: tuple[str, ...]) -> None:
    server = Watched(BINARIES[0])
    place = cast("Installation", Place(server))
    try:
        server.start()
        for mode in order:
            await KILLS[f"redis-killed-{mode}"](place, random.Random(1), 0.0)
        assert server.killed_in == list(order)
    finally:
        server.remove()


async def test_a_power_cut_says_how_many_posts_it_took_and_none_shows_nothing(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cast("Installation", Place(redis_server))
    stream = await Stream.open(redis_server.url)
    await stream.publish(items(3))
    cut = asyncio.ensure_future(KILLS["redis-lost-a-second"](place, random.Random(1), 0.0))
    await asyncio.sleep(power.UNSYNCED_S + 0.3)  # the three are on the disk by then; it waits for posts that are not
    await stream.publish(items(7)[3:])
    note = await cut
    assert note is not None
    assert note.endswith("and 4 posts with them")
    assert redis_server.number("XLEN", "exowatch:v1:{p0}:mentions") == 3
    monkeypatch.setattr(power, "POSTS_WITHIN_S", 0.0)
    with pytest.raises(NothingShownError, match="no post was among the last 0 bytes"):
        await KILLS["redis-lost-a-second"](place, random.Random(1), 0.0)
    assert redis_server.ask("PING").startswith(b"+PONG"), "it is mended all the same"
    await stream.close()


async def test_a_phase_in_which_nothing_was_lost_does_not_pass() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "redis-lost-a-second")
    shown, not_shown = (Phase(fault, 1, 0, 10, 1.0, Verdict(), "why", shown) for shown in (True, False))
    assert shown.good
    assert not not_shown.good
    assert "nothing shown" in table([not_shown])


async def test_a_full_disk_is_full_for_postgresql_which_goes_on_when_there_is_room() -> None:
    folder = short_folder("exowatch-pg-")
    with small_disk(folder, "256m") as mounted, running_postgres(*QUICK, *SMALL_LOG, folder=folder) as postgres:
        place = cast("Installation", SimpleNamespace(postgres=postgres, postgres_disk=mounted))
        if mounted:
            note = await KILLS["postgres-disk-full"](place, random.Random(1), 0.0)
            assert note is not None
            assert note.startswith("PostgreSQL had no room")
        else:
            with pytest.raises(NothingShownError, match="may be mounted"):
                await KILLS["postgres-disk-full"](place, random.Random(1), 0.0)
        postgres.do("CREATE TABLE there_is_room AS SELECT generate_series(1, 100000)")
    shutil.rmtree(folder, ignore_errors=True)


class Place:
    """As much of an installation as the faults of Redis touch."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
