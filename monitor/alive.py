"""Whether the processes of a data folder live: each says so every few seconds, in a file of its own in `data_dir/alive`.

`python -m monitor.alive` asks, for containers' health checks: exit status 0 while every process of the folder goes on, 1 where
none runs or one has stopped saying so, as when its event loop stands. It uses the standard library alone, because it is
started again and again. Whether Redis and the database answer is another question (`/readyz`): a role that waits for them lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
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
    sign = _Sign(data_dir / _FOLDER / f"{role}.{os.getpid()}")

    async def keep_saying() -> None:
        while True:
            await asyncio.sleep(SAY_EVERY_S)
            await asyncio.to_thread(sign.say)

    sign.say()
    saying = asyncio.create_task(keep_saying())
    try:
        yield
    finally:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
        sign.remove()


class _Sign:
    """A file that this process holds a lock on: the kernel lets go of it whatever ends the process, and no process id is trusted
    that may have been given to another one since.

    What the disk refuses is not worth an end of the work: who asks then hears that nothing was said.
    """

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: int | None = None

    def say(self) -> None:
        with contextlib.suppress(OSError):
            if self._file is None or not self._path.exists():
                self._make()
            os.utime(self._path)

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._close()

    def _make(self) -> None:
        self._close()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def living(data_dir: Path) -> list[tuple[str, int, float]]:
    """Role, process id and seconds of silence of each process of this folder that runs. Signs of those that died are removed."""
    return sorted(_read(data_dir / _FOLDER))


def _read(folder: Path) -> Iterator[tuple[str, int, float]]:
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            role, _, pid = path.name.partition(".")
            with contextlib.suppress(FileNotFoundError):
                if pid.isdecimal() and _held(path):
                    yield role, int(pid), time.time() - path.stat().st_mtime
                else:
                    path.unlink()


def _held(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


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
