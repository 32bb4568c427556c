"""Where tests put what they write: into memory where there is enough of it, since files and databases are made by the thousand.

A disk that is asked to keep each of them takes longer than the tests themselves. `TMPDIR` of one's own is kept to, and so are the
files in it; a folder in memory goes with the tests, whatever came of them.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH = 6 * 2**30  # bytes; a whole run has less than two of them in use at a time
_NAME = "exowatch-tests-"


def use_memory() -> Path | None:
    """Makes a folder in memory the one for temporary files, of this process and those that it starts; None where it is not."""
    if "TMPDIR" in os.environ or not _is_enough():
        return None
    for left in MEMORY.glob(f"{_NAME}*"):  # by a run that was killed
        if not Path(f"/proc/{left.name.removeprefix(_NAME)}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = MEMORY / f"{_NAME}{os.getpid()}"
    folder.mkdir(mode=0o711)  # PostgreSQL's own user passes through
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


def short_folder(prefix: str) -> Path:
    """A new folder whose path is short enough for a socket in it."""
    place = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix=prefix, dir=place if len(place) < 40 else "/tmp"))


def _is_enough() -> bool:
    try:
        available = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
        return available is not None and min(int(available[1]) * 1024, shutil.disk_usage(MEMORY).free) >= ENOUGH
    except OSError:
        return False
