"""Clocks that jump by an hour while their processes run, by libfaketime. Monotonic time goes on, as it does on real machines."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

from tests.campaign.machines import Installation
from tests.campaign.processes import Kept

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
SHARED_MEMORY = Path("/dev/shm")
JUMPS = ("+3600", "-3600")


async def clocks_that_jump(place: Installation, dice: random.Random, lasts: float) -> None:
    """One collector, one worker and one sender get a clock of their own, and it jumps: an hour on, an hour back, right again.

    Meanwhile the other senders stand still, so that what is sent is sent by that clock. Before each jump the three are killed in
    the middle of their work, so that others find what they left behind.
    """
    file = place.folder / "clock"
    chosen = [dice.choice(place.of_role(role)) for role in ("collector", "worker", "sender")]
    for process in chosen:
        process.environment = {
            "LD_PRELOAD": str(LIBRARIES[-1]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
    still = [one for one in place.of_role("sender") if one not in chosen]
    for jump in JUMPS:
        for process in chosen:
            await process.kill()  # it comes back with the other clock, right at first
        file.write_text("+0\n")
        _signal(still, signal.SIGSTOP)
        await asyncio.sleep(lasts / 6)
        file.write_text(f"{jump}\n")
        await asyncio.sleep(lasts / 6)
    _signal(still, signal.SIGCONT)
    for process in chosen:
        process.environment = {}
        await process.kill()
    _tidy()


def _tidy() -> None:
    """Removes what the library leaves in shared memory of processes that were killed."""
    for left in SHARED_MEMORY.glob("*faketime_s*_*"):
        if not Path(f"/proc/{left.name.rpartition('_')[2]}").exists():
            left.unlink(missing_ok=True)


def _signal(processes: list[Kept], number: signal.Signals) -> None:
    for process in processes:
        if process.running:
            os.kill(process.pid, number)
