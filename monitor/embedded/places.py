"""Where the embedded server is: its socket's folder, the file that says so, and its traces on the system."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import msgspec

from monitor.datadir import DataDirError

_SOCKET_PREFIX = "exowatch-"
_SOCKET_NAME = "redis.sock"
_MAX_SOCKET_PATH = 100  # bytes; 108 on Linux and 104 elsewhere, with the closing zero
_STATE_FILE = "server.json"


class EmbeddedRedisError(Exception):
    """The embedded redis-server cannot run; the text says why and what to do."""


class State(msgspec.Struct):
    """`server.json`: where the server of this folder listens. `pid` is 0 until it is known."""

    pid: int
    socket: str


def new_socket() -> Path:
    """A short path for a socket, in a new folder that only its owner may enter. Raises EmbeddedRedisError."""
    reasons = []
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108 - mkdtemp makes a private folder there
        try:
            folder = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir=parent))
        except OSError as error:
            reasons.append(f"{parent} cannot be written: {error.strerror}")
            continue
        if len(os.fsencode(folder / _SOCKET_NAME)) <= _MAX_SOCKET_PATH:
            return folder / _SOCKET_NAME
        folder.rmdir()
        reasons.append(f"{parent} is too long a path for a socket")
    raise EmbeddedRedisError(
        f"there is no temporary folder for the redis socket ({'; '.join(reasons)}); set TMPDIR to a short path"
    )


def remove_socket_folder(socket: Path) -> None:
    """Removes a folder that we made, and only if nothing but our socket is in it."""
    if socket.name == _SOCKET_NAME and socket.parent.name.startswith(_SOCKET_PREFIX):
        with contextlib.suppress(OSError):
            socket.unlink(missing_ok=True)
            socket.parent.rmdir()


def url_of(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


def read_state(folder: Path) -> State | None:
    try:
        return msgspec.json.decode((folder / _STATE_FILE).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None


def write_state(folder: Path, state: State) -> None:
    """Raises DataDirError."""
    new = folder / f"{_STATE_FILE}.new"
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(msgspec.json.encode(state))
        new.replace(folder / _STATE_FILE)
    except OSError as error:
        raise DataDirError(f"{new} cannot be written: {error.strerror}") from None


def forget_state(folder: Path) -> None:
    """The server has ended."""
    with contextlib.suppress(OSError):
        (folder / _STATE_FILE).unlink(missing_ok=True)


def is_redis_on(pid: int, folder: Path, socket: Path) -> bool:
    """Whether this process is a redis-server that works in our folder (or, where there is no /proc, listens on our socket).

    Redis writes its socket over its command line and stays in its data folder, so it is known by these.
    """
    if Path("/proc/self").exists():
        try:
            return "redis" in Path(f"/proc/{pid}/comm").read_text() and Path(f"/proc/{pid}/cwd").samefile(folder)
        except OSError:
            return False
    answer = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return "redis" in answer.stdout and str(socket) in answer.stdout


def why_it_ended(log_file: Path, start: int, folder: Path) -> str:
    """The server's last words as a sentence, with what to do where we know it."""
    with log_file.open("rb") as file:
        file.seek(max(start, log_file.stat().st_size - 10_000))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    # "1234:M 22 Nov 2026 12:00:00.000 # Bad file format …"
    words = re.sub(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ . ", "", lines[-1])[:300] if lines else "it said nothing"
    advice = ""
    if "append only file" in words.lower() or "redis-check-aof" in words:
        manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
        broken = manifest if manifest.exists() else folder / "appendonly.aof"
        advice = f"; copy {folder} to a safe place, then run: redis-check-aof --fix {broken}"
    return f"the embedded redis-server ended at once: {words}{advice} (log: {log_file})"
