"""Clocks that jump by an hour while their processes run, by libfaketime. Monotonic time goes on, as it does on real machines."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from tests.campaign.machines import Installation

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
JUMPS = ("+3600", "-3600", "+0")


async def clocks_that_jump(place: Installation, dice: random.Random, lasts: float) -> None:
    """One collector, one worker and one sender get a clock of their own, and it jumps: an hour on, an hour back, right again."""
    if not LIBRARIES:
        raise FileNotFoundError("libfaketime is missing (apt install faketime)")
    file = place.folder / "clock"
    file.write_text("+0\n")
    chosen = [dice.choice(place.of_role(role)) for role in ("collector", "worker", "sender")]
    for process in chosen:
        process.environment = {
            "LD_PRELOAD": str(LIBRARIES[-1]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        await process.kill()  # it comes back with the other clock
    await asyncio.sleep(lasts / 4)
    for jump in JUMPS:
        file.write_text(f"{jump}\n")
        await asyncio.sleep(lasts / 4)
    for process in chosen:
        process.environment = {}
        await process.kill()
