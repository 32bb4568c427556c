"""`make fuzz`: changed data for every parser and every platform's collector, for as long as you like.

Ends with exit status 1 and the seed where something answers otherwise than it may; the same seed does the same again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.fuzz.parsers import PARSERS, try_one
from tests.fuzz.platforms import PLATFORMS, platform

PARSINGS = 50  # of each parser, for one poll of each platform


async def fuzz(seconds: float, seed: int) -> int:
    """Goes through the tables again and again until the time is up; exit status."""
    ends, began = time.monotonic() + seconds, seed
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # Reddit's client pauses for seconds after an error; the tests try it.
        names = [name for name in PLATFORMS if name != "reddit"]
        polls = {name: await stack.enter_async_context(platform(name, folder / name)) for name in names}
        while time.monotonic() < ends:
            for name in PARSERS:
                for one in range(seed * PARSINGS, (seed + 1) * PARSINGS):
                    try:
                        try_one(name, one)
                    except Exception as error:  # whatever goes wrong is what is looked for
                        print(f"fuzz: {name}, seed {one} (try_one): {error!r}", file=sys.stderr)
                        return 1
            for name, heard in polls.items():
                try:
                    await heard(seed)
                except Exception as error:
                    print(f"fuzz: {name}, seed {seed} (platform): {error!r}", file=sys.stderr)
                    return 1
            seed += 1
    parsed, polled = (seed - began) * PARSINGS, seed - began
    print(f"{parsed} bodies for each of {len(PARSERS)} parsers, {polled} polls of each of {len(names)} platforms: as foreseen")
    return 0


def main() -> int:
    """Reads the options."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=300.0, help="how long (default: 300)")
    asked.add_argument("--seed", type=int, default=1, help="what chance begins with (default: 1)")
    options = asked.parse_args()
    return asyncio.run(fuzz(options.seconds, options.seed))


if __name__ == "__main__":
    sys.exit(main())
