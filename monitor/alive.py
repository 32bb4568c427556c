"""Whether the processes of a data folder live: each says so every few seconds, in a file of its own in `data_dir/alive`.

`python -m monitor.alive` asks, for containers' health checks: exit status 0 while every process of the folder goes on, 1 where
none runs or one has stopped saying so, as when its event loop stands. It uses the standard library alone, because it is
started again and again. Whether Redis and the database answer is another question (`/readyz`): a role that waits for them lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

SAY_EVERY_S = 5.0
SILENT_AFTER_S = 30.0
_FOLDER = "alive"


@contextlib.asynccontextmanager
async def said_to_live(data_dir: Path, role: str) -> AsyncIterator[None]:
    """Says so for this process while the block runs, and no more when it has ended in order."""
    file = data_dir / _FOLDER / f"{role}.{os.getpid()}"

    async def keep_saying() -> None:
        while True:
            await asyncio.sleep(SAY_EVERY_S)
            await asyncio.to_thread(_say, file)

    _say(file)
    saying = asyncio.create_task(keep_saying())
    try:
        yield
    finally:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _say(file: Path) -> None:
    # What the disk refuses is not worth an end of the work: who asks then hears that nothing was said.
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)


def living(data_dir: Path) -> list[tuple[str, int, float]]:
    """Role, process id and seconds of silence of each process of this folder that runs. Signs of those that died are removed."""
    return sorted(_read(data_dir / _FOLDER))


def _read(folder: Path) -> Iterator[tuple[str, int, float]]:
    with contextlib.suppress(FileNotFoundError):
        for file in folder.iterdir():
            role, _, pid = file.name.partition(".")
            with contextlib.suppress(FileNotFoundError):
                if pid.isdecimal() and _runs(int(pid)):
                    yield role, int(pid), time.time() - file.stat().st_mtime
                else:
                    file.unlink()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def main() -> int:
    """Says on stdout how it stands with the folder that EXOWATCH_DATA_DIR or the first argument names."""
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXOWATCH_DATA_DIR", "")
    if not given:
        print("name the data folder: python -m monitor.alive DATA_DIR, or set EXOWATCH_DATA_DIR", file=sys.stderr)
        return 2
    found = living(Path(given))
    silent = [f"{role} (process {pid}) has been silent for {since:.0f} s" for role, pid, since in found if since > SILENT_AFTER_S]
    print("; ".join(silent) or ", ".join(f"{role} (process {pid}) lives" for role, pid, _ in found) or f"nothing runs in {given}")
    return 1 if silent or not found else 0


if __name__ == "__main__":
    sys.exit(main())
