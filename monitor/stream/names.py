"""Which posts and authors went into the stream lately, and taking what is theirs out of it again.

A deletion may name a post that nobody here ever heard of, as nearly all of a whole network's do. Names (`monitor.notices`) of
what was published, kept for three days, tell in one call which of them matter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from monitor.stream.connection import GroupMissingError, Link
from monitor.stream.keys import GROUP, NAMES_KEPT_S, PURGE_PAGE, dead_key, mentions_key, names_keys


async def remember(link: Link, names: Sequence[str], now_ms: int) -> None:
    """Notes that what bears these names goes into the stream. Safe to repeat."""
    key = names_keys(now_ms)[0]
    await link.together(("SADD", key, *names), ("EXPIRE", key, NAMES_KEPT_S))


async def known(link: Link, names: Sequence[str], now_ms: int) -> set[str]:
    """Those of the names that went into the stream within the last days."""
    if not names:
        return set()
    answers = await link.together(*(("SMISMEMBER", key, *names) for key in names_keys(now_ms)))
    return {name for answer in answers for name, there in zip(names, answer, strict=True) if there}


async def purge(link: Link, partitions: int, matches: Callable[[bytes], bool]) -> int:
    """Takes what matches out of the streams of mentions and of what is dead, pending entries included; how many there were.

    What a worker has in its hands already is not stopped by it.
    """
    count = 0
    for partition in range(partitions):
        for key, is_pending in ((mentions_key(partition), True), (dead_key(partition), False)):
            start = "-"
            while page := await link.run("XRANGE", key, start, "+", "COUNT", PURGE_PAGE):
                start = f"({page[-1][0].decode()}"
                ids = [entry_id for entry_id, fields in page if fields and matches(fields.get(b"d", b""))]
                if not ids:
                    continue
                if is_pending:
                    with contextlib.suppress(GroupMissingError):  # then nobody has it in hand
                        await link.together(("XACK", key, GROUP, *ids))
                count += int(await link.run("XDEL", key, *ids))
    return count
