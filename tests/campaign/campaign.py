"""One phase after another: posts flow, something breaks and is mended, all is to settle, and the checker looks at everything."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from tests.campaign import clock
from tests.campaign.checker import check, settled
from tests.campaign.faults import FAULTS, Fault, NothingShownError
from tests.campaign.machines import Installation, Kind
from tests.campaign.report import Phase, progress
from tests.campaign.talk import Talk
from tests.checker import leases_over

SOURCES = 4  # three forums, and the stream
POSTS_A_SECOND = 300
LOOK_S = 0.25
SHARE = 0.1  # of posts and kills, for each further kind of installation


@dataclass(frozen=True)
class Plan:
    """`short`: seconds instead of minutes. There, the waits that the program keeps to (a killed sender's lease of 30 s) are said
    to be over; in the long form they are waited for."""

    seed: int
    posts: int
    kills: int
    faults: tuple[Fault, ...]
    short: bool
    settle_s: float

    @property
    def claims(self) -> int:
        return min(200, max(20, self.posts // 20))


def plan(*, seed: int, posts: int, kills: int, names: Sequence[str], short: bool) -> Plan:
    """The faults in the order that the seed gives. Raises ValueError for a name that is none."""
    known = {fault.name: fault for fault in FAULTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"there is no fault {unknown[0]}; there are {', '.join(known)}")
    if "clock-jumps" in names and not clock.LIBRARIES:
        raise ValueError("clock-jumps needs libfaketime; install it (apt install faketime) or leave this fault out")
    chosen = [known[name] for name in names] or [fault for fault in FAULTS if not (short and fault.long_only) and possible(fault)]
    dice = random.Random(seed)
    dice.shuffle(chosen)
    return Plan(seed, posts, kills, tuple(chosen), short, 60 if short else 400)


def possible(fault: Fault) -> bool:
    """Whether this machine has what the fault needs."""
    if fault.name == "postgres-disk-full":
        return os.getuid() == 0
    return fault.name != "clock-jumps" or bool(clock.LIBRARIES)


async def run(given: Plan, folder: Path) -> list[Phase]:
    """All phases: those of each kind of installation after the other, of which the first has most of the posts."""
    phases: list[Phase] = []
    for kind, (posts, kills) in shares(given).items():
        faults = [fault for fault in given.faults if fault.kind == kind]
        talk = Talk(given.seed, posts, min(given.claims, posts), SOURCES)
        phases += await _phases(given, Installation(folder / kind, talk, kind), faults, kills)
    return phases


def shares(given: Plan) -> dict[Kind, tuple[int, int]]:
    """How many of the posts and of the kills are for each kind of installation."""
    first, *others = [kind for kind in get_args(Kind) if any(fault.kind == kind for fault in given.faults)]
    posts, kills = round(given.posts * SHARE), round(given.kills * SHARE)
    rest = (given.posts - posts * len(others), given.kills - kills * len(others))
    return {first: rest} | dict.fromkeys(others, (posts, kills))


async def _phases(given: Plan, place: Installation, faults: Sequence[Fault], kills: int) -> list[Phase]:
    dice = random.Random(f"{given.seed} {place.folder.name}")
    phases: list[Phase] = []
    async with place:
        for number, fault in enumerate(faults, 1):
            until = place.talk.posts * number // len(faults)
            wanted = kills * number // len(faults)
            progress(f"{fault.name} ({number} of {len(faults)}): {fault.about}; posts {place.released:,} to {until:,}")
            phases.append(await _phase(given, place, fault, until, wanted - place.kills, dice))
            progress("")
    return phases


async def _phase(given: Plan, place: Installation, fault: Fault, until: int, kills: int, dice: random.Random) -> Phase:
    lasts = fault.short_s if given.short else fault.long_s
    before = place.kills
    flowing = asyncio.create_task(_flow(place, until, max(lasts, (until - place.released) / POSTS_A_SECOND)))
    killing = asyncio.create_task(_kill(place, kills, max(lasts, 1.0), dice))
    shown = True
    try:
        note = await fault.do(place, dice, lasts)
    except NothingShownError as error:
        shown, note = False, str(error)
    mended = time.monotonic()
    await asyncio.gather(flowing, killing)
    recovered = await _settle(given, place, mended)
    verdict = await check(place.store_url, place.talk, place.released, place.receipts, place.redis_servers(), place.partitions)
    return Phase(fault, 1, place.kills - before, place.released, recovered, verdict, note, shown)


async def _flow(place: Installation, until: int, seconds: float) -> None:
    """Makes posts public, evenly, up to that one."""
    first, began = place.released, time.monotonic()
    while place.released < until:
        share = min(1.0, (time.monotonic() - began) / seconds)
        place.release(first + round((until - first) * share))
        await asyncio.sleep(0.1)


async def _kill(place: Installation, times: int, seconds: float, dice: random.Random) -> None:
    """Random processes, at random moments."""
    began = time.monotonic()
    for moment in sorted(dice.uniform(0, seconds) for _ in range(times)):
        await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
        await place.strike_one(dice)


async def _settle(given: Plan, place: Installation, mended: float) -> float | None:
    """Seconds from the mending until all that is public is stored, alerted and arrived; None where that does not come."""
    over = time.monotonic() + given.settle_s
    while time.monotonic() < over:
        missing = await settled(place.store_url, place.talk, place.released, place.receipts)
        if not any(missing):
            return time.monotonic() - mended
        progress(f"  settling: {missing[0]} posts, {missing[1]} deliveries pending, {missing[2]} alerts to arrive")
        if given.short and missing[0] <= 0:
            await leases_over(place.store_url)
        await asyncio.sleep(LOOK_S)
    return None
