"""The private redis-server that the daemon runs where no redis.url is set.

It listens on a unix socket in a folder of its own under the system's temporary folder (a socket's path may have 108 bytes, and
data folders are often deeper) and keeps an append-only file in `data_dir/redis`. It outlives a daemon that is killed; the next
daemon takes it over. Whether it lives is told by a lock that it inherits and the kernel lets go of, so no pid is trusted that
may have been given to another process since.
"""

from __future__ import annotations

from pathlib import Path

from monitor.datadir import AlreadyRunning, DataDirError, DataDirLock
from monitor.embedded.places import EmbeddedRedisError, read_state, url_of
from monitor.embedded.server import EmbeddedRedis

__all__ = ["AlreadyRunning", "DataDirError", "DataDirLock", "EmbeddedRedis", "EmbeddedRedisError", "connect_running"]


def connect_running(data_dir: Path) -> str | None:
    """The address of the embedded server of the daemon that works on this folder now; None where there is none."""
    if not DataDirLock.held(data_dir):
        return None
    state = read_state(data_dir / "redis")
    return url_of(Path(state.socket)) if state is not None and Path(state.socket).is_socket() else None
