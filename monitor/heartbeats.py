"""Which processes of the installation were heard from, and when: each shares its metrics through the stream every few seconds.

A process that serves HTTP shares nothing, since it shows them itself: of those only the one that is asked is known. One that has
ended, or stands still, is told of for as long as its metrics are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.metrics import plain, process_name
from monitor.stream import Stream
from monitor.times import now_ms, rfc3339

ROLES = ("collect", "work", "deliver", "serve")
TOGETHER = "run"  # the role of a process that plays all of them
MAX_PROCESSES = 500
SILENT_AFTER_S = 30.0


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A process: its host, number and mark, the role that it plays, when it was last heard from and how many seconds ago."""

    process: str
    role: str
    last_heard: str
    silent_s: float


class PartHeard(msgspec.Struct, frozen=True, kw_only=True):
    """A role of the daemon: how many processes that play it were heard from within SILENT_AFTER_S, and when any was last."""

    role: str
    processes: int
    last_heard: str | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Every role, and the processes that were heard from, the latest first."""

    parts: list[PartHeard]
    processes: list[Heard]


class _Who(msgspec.Struct, frozen=True):
    """What a shared snapshot of metrics says of who shared it."""

    role: str
    process: str


async def status(stream: Stream, role: str) -> Status:
    """All that were heard from, this process (which plays `role`) among them. Raises StreamError."""
    now = now_ms()
    found = [Heard(process=plain(process_name()), role=role, last_heard=rfc3339(now), silent_s=0.0)]
    for silent_s, snapshot in await stream.shared_ago():
        try:
            who = msgspec.json.decode(snapshot, type=_Who)
        except (ValueError, RecursionError):
            continue
        at = rfc3339(now - round(silent_s * 1000))
        found.append(Heard(process=plain(who.process), role=plain(who.role), last_heard=at, silent_s=silent_s))
    found = found[:MAX_PROCESSES]
    return Status(parts=[_part(one, found) for one in ROLES], processes=found)


def _part(role: str, found: Sequence[Heard]) -> PartHeard:
    playing = [one for one in found if one.role in (role, TOGETHER)]
    return PartHeard(
        role=role,
        processes=sum(one.silent_s <= SILENT_AFTER_S for one in playing),
        last_heard=max((one.last_heard for one in playing), default=None),
    )
