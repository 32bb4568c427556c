"""What a server has to be before it is used, and whether there is room for more on it."""

from __future__ import annotations

import time
from typing import Any

import structlog

from monitor.stream.connection import Link, StreamError, StreamFull, StreamUnavailable
from monitor.stream.keys import MAX_MEMORY_SHARE, PARTITIONS, ROOM_EVERY_S, dead_key, mentions_key

log = structlog.get_logger()

_OLDEST_REDIS = (6, 2)


class Room:
    """Looks now and then whether producers may go on: a trimmed stream would lose what nobody has read, ours refuses."""

    def __init__(self, link: Link, partitions: int, max_waiting: int) -> None:
        self._link = link
        self._partitions = partitions
        self._max_waiting = max_waiting
        self._known_until = 0.0

    async def check(self) -> None:
        """Raises StreamFull where producers are to wait, StreamUnavailable."""
        if time.monotonic() < self._known_until:
            return
        for partition in range(self._partitions):
            waiting = await self._waiting(partition)
            if waiting >= self._max_waiting:
                raise StreamFull(f"{waiting} posts wait to be judged; more wait until the workers have caught up")
        for key in _places(self._link, self._partitions):
            memory = await _info(self._link, key, "memory")
            used, cap = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
            if cap and used >= cap * MAX_MEMORY_SHARE:
                raise StreamFull(f"Redis has used {used / cap:.0%} of its maxmemory; posts wait until the workers have caught up")
        self._known_until = time.monotonic() + ROOM_EVERY_S

    async def _waiting(self, partition: int) -> int:
        try:
            return int(await self._link.run("XLEN", mentions_key(partition)))
        except StreamUnavailable:
            raise
        except StreamError:  # whatever is wrong with the key, publishing will say it
            return 0


async def check_servers(link: Link, partitions: int) -> None:
    """Refuses a server that is too old; warns of one that may throw the stream away. Raises StreamError."""
    for key in _places(link, partitions):
        await link.run("PING", at=key)
        info = await _info(link, key)
        version = str(info.get("redis_version", ""))
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if numbers and numbers < _OLDEST_REDIS:
            raise StreamError(f"Redis at {link.where} is {version}; exowatch needs 6.2 or newer")
        if info.get("maxmemory") and info.get("maxmemory_policy") != "noeviction":
            log.warning("redis may evict mentions", policy=info.get("maxmemory_policy"), wanted="maxmemory-policy noeviction")


async def agree_on_partitions(link: Link, partitions: int) -> None:
    """All roles must spread over the same partitions, or some of what is heard is never read. Raises StreamError."""
    if await link.run("SETNX", PARTITIONS, partitions):
        return
    there = int(await link.run("GET", PARTITIONS) or partitions)
    if there == partitions:
        return
    for partition in range(there):
        if await link.run("XLEN", mentions_key(partition)) or await link.run("XLEN", dead_key(partition)):
            raise StreamError(
                f"redis.partitions is {partitions}, but Redis at {link.where} holds unfinished mentions in"
                f" {there} of them; set {there} again, or change it when all is done and `exowatch dead list` is empty"
            )
    await link.run("SET", PARTITIONS, partitions)


def _places(link: Link, partitions: int) -> list[str]:
    """A key on each server that is to be looked at; some may lie on the same one."""
    return [mentions_key(partition) for partition in range(partitions if link.spread else 1)]


async def _info(link: Link, key: str, *section: str) -> dict[str, Any]:
    """What the server of a key says about itself; nothing where this user may not ask, and need not. Raises StreamUnavailable."""
    try:
        return dict(await link.run("INFO", *section, at=key))
    except StreamUnavailable:
        raise
    except StreamError:
        return {}
